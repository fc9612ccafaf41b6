import { refusedPort } from '../origin/hostile.ts';
import { type Origin, startOrigin } from '../origin/origin.ts';

/** The ports in fixtures/urls.txt. Nothing listens on the last one. */
export const LIST_PORTS: readonly number[] = [8787, 8788, 8789, 8790];

/** The hosts of the demo. */
export interface DemoHosts {
  /** The real port of the host of each of `LIST_PORTS`, in the same order. */
  readonly ports: readonly number[];
  /** Counts requests and connections of all hosts. */
  seen(): { requests: number; connections: number };
  close(): Promise<void>;
}

/** Starts the hosts on the ports of the list or, if one of those is taken, all of them on free ports. */
export async function startDemoHosts(wanted: readonly number[] = LIST_PORTS): Promise<DemoHosts> {
  const origins: Origin[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(origins.map((origin) => origin.close()));
  };
  try {
    for (const port of wanted.slice(0, -1)) origins.push(await startOrigin({ port }));
    const ruin = await refusedPort({ port: wanted.at(-1) ?? 0 });
    return {
      ports: [...origins.map(({ port }) => port), ruin.port],
      seen: () => ({ requests: total(origins, 'requests'), connections: total(origins, 'connections') }),
      close,
    };
  } catch (error) {
    await close();
    if (wanted.every((port) => port === 0)) throw error;
    return startDemoHosts(wanted.map(() => 0));
  }
}

function total(origins: readonly Origin[], count: 'requests' | 'connections'): number {
  return origins.reduce((sum, origin) => sum + origin[count], 0);
}
