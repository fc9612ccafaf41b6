import { BlockList, isIP } from 'node:net';

/** Whether a host is asked without a proxy. Takes an IPv6 address without brackets. */
export type Bypass = (hostname: string, port: number) => boolean;

const PORT = /^(\[.*\]|[^:]*):(\d+)$/;

/**
 * Reads a `NO_PROXY` list as curl does, and takes ports too: items between commas or white space, `*` for every host.
 * - A name stands for itself and for every name below it, with or without a dot in front.
 * - An address, in brackets or not, and a network such as `10.0.0.0/8` stand for literal addresses in URLs.
 * - An item with a port stands for that port alone. What is none of these stands for nothing.
 */
export function parseBypass(list: string): Bypass {
  const items = list.split(/[\s,]+/).filter((item) => item !== '');
  if (items.includes('*')) return () => true;
  const matchers = items.map(parseItem);
  return (host, port) => {
    const hostname = host.endsWith('.') ? host.slice(0, -1) : host;
    return matchers.some((matches) => matches(hostname, port));
  };
}

function parseItem(item: string): Bypass {
  const [, head = item, digits] = PORT.exec(item) ?? [];
  const bare = head.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const matches = networkMatcher(bare) ?? nameMatcher(bare);
  return digits === undefined ? matches : (host, port) => port === Number(digits) && matches(host);
}

function networkMatcher(item: string): ((host: string) => boolean) | undefined {
  const [address = '', bits] = item.split('/', 2);
  const version = isIP(address);
  if (version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const widest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? widest : Number(bits);
  if (!/^\d+$/.test(bits ?? '0') || prefix > widest) return () => false;
  const network = new BlockList();
  network.addSubnet(address, prefix, family);
  // A BlockList takes an IPv4 address for an IPv4-mapped one, too.
  return (host) => isIP(host) === version && network.check(host, family);
}

function nameMatcher(item: string): (host: string) => boolean {
  const name = item.replace(/^\*?\./, '').replace(/\.$/, '');
  const below = `.${name}`;
  return (host) => isIP(host) === 0 && name !== '' && (host === name || host.endsWith(below));
}
