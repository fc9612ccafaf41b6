import { threadForHost } from '../../../src/fetch/threads/threaded-transport.ts';
import { anOrigin } from '../../cli/an-origin.ts';
import type { Origin } from '../../origin/origin.ts';

/** Two origins for the running test, of which each belongs to another one of two threads. */
export async function originsOfTwoThreads(): Promise<readonly [Origin, Origin]> {
  const found: Origin[] = [];
  while (found[0] === undefined || found[1] === undefined) {
    const origin = await anOrigin();
    found[threadForHost(new URL(origin.url).host, 2)] ??= origin;
  }
  return [found[0], found[1]];
}
