import { LIST_PORTS } from './demo-hosts.ts';

/** Returns the list with the real ports of the hosts. */
export function listForPorts(list: string, ports: readonly number[]): string {
  return list.replace(/127\.0\.0\.1:(\d+)/g, (authority, port: string) => {
    const real = ports[LIST_PORTS.indexOf(Number(port))];
    return real === undefined ? authority : `127.0.0.1:${real}`;
  });
}
