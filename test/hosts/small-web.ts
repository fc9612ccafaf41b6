import type { HostModel } from './host-models.ts';
import * as models from './host-models.ts';
import { urlsOf } from './simulated-run.ts';

/**
 * A small web: 1,880 hosts, most of them healthy, and one with a tenth of all URLs.
 *
 * @param others more hosts, of which the first four serve nothing
 */
export function smallWeb(random: () => number, others: readonly HostModel[] = []) {
  const usual = () => models.logNormal(random, 80);
  const hosts = new Map<string, HostModel>();
  const share = (percent: number) => Math.round(HOSTS * (percent / 100));
  const add = (kind: string, count: number, model: () => HostModel) => {
    for (let index = 0; index < count; index += 1) hosts.set(`${kind}${index}.test`, model());
  };
  add('big', 1, () => models.capped(16, { retryAfterS: 1 }, usual()));
  add('two', share(3), () => models.capped(2, { status: 429 }, usual()));
  add('four', share(5), () => models.capped(4, { status: 429 }, usual()));
  add('slow', share(3), () => models.healthy(random, 3_000));
  add('hanging', share(2), () => models.hanging);
  add('resetting', share(2), () => models.resetting);
  others.forEach((model, index) => {
    hosts.set(`other${index}.test`, model);
  });
  add('healthy', HOSTS - hosts.size, usual);
  const names = [...hosts.keys()].slice(1);
  const count = new Map<string, number>();
  for (let index = 0; index < URLS * 0.9; index += 1) {
    const host = names[index < names.length ? index : Math.floor(random() * names.length)] ?? '';
    count.set(host, (count.get(host) ?? 0) + 1);
  }
  count.set('big0.test', URLS * 0.1);
  const sorted = [...count].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([host, n]) => urlsOf(host, n));
  const isDead = (url: string) => /hanging|resetting|other[0-3]\./.test(url);
  return {
    hosts,
    sorted,
    mixed: shuffled(sorted, random),
    alive: sorted.filter((url) => !isDead(url)).length,
  };
}

const HOSTS = 1_880;
const URLS = 20_000;

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [mixed[last], mixed[other]];
    if (a === undefined || b === undefined) continue;
    mixed[last] = b;
    mixed[other] = a;
  }
  return mixed;
}
