import { LIST_PORTS } from './demo-hosts.ts';

/** The demo's list with the ports that its hosts really have. */
export function listForPorts(list: string, ports: readonly number[]): string {
  return list.replace(/127\.0\.0\.1:(\d+)/g, (authority, port: string) => {
    const real = ports[LIST_PORTS.indexOf(Number(port))];
    return real === undefined ? authority : `127.0.0.1:${real}`;
  });
}
