import type { HostModel } from '../hosts/host-models.ts';
import { smallWeb } from '../hosts/small-web.ts';
import { seededRandom } from '../seeded-random.ts';

/** The hosts of the small web, in the order of their addresses. */
export function webModels(seed: number): ReadonlyMap<string, HostModel> {
  return smallWeb(seededRandom(seed)).hosts;
}

export interface WebLists {
  readonly mixed: readonly string[];
  readonly sorted: readonly string[];
  /** The URLs of the host that has a tenth of all. */
  readonly big: readonly string[];
  /** URLs of hosts that respond. */
  readonly alive: number;
}

/** The lists of the small web, whose hosts are addresses of 127.3.0.0/16. */
export function webLists(seed: number, port: number): WebLists {
  const { hosts, mixed, sorted, alive } = smallWeb(seededRandom(seed));
  const addresses = new Map([...hosts.keys()].map((name, n) => [name, `127.3.${n >> 8}.${n & 255}:${port}`]));
  const toUrl = (url: string) => {
    const { host, pathname } = new URL(url);
    return `http://${addresses.get(host)}${pathname}`;
  };
  const big = sorted.filter((url) => url.startsWith('http://big'));
  return { mixed: mixed.map(toUrl), sorted: sorted.map(toUrl), big: big.map(toUrl), alive };
}
