import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row } from './row.ts';
import { runProcess } from './run-process.ts';
import { webLists } from './web.ts';

export interface WebBench {
  readonly program: string;
  readonly dir: string;
  log(text: string): void;
}

const SEED = 1;
const LIMIT_MS = 600_000;
const FLAGS = ['-c', '256', '--timeout', '10s'];

/**
 * A small web: 20,000 URLs of 1,880 hosts. A tenth of them is at one host that serves 16 at once; other hosts serve two or four,
 * take 3 s, never respond, or reset.
 */
export async function measureWeb(bench: WebBench): Promise<Row[]> {
  const rows: Row[] = [];
  const measure = async (name: 'mixed' | 'sorted' | 'big', atMostS: number, flags: readonly string[]) => {
    const what = ['the small web', name === 'big' ? 'its big host alone' : name, flags.join(' ')]
      .filter(Boolean)
      .join(', ');
    rows.push(...(await measureList(bench, name, what, atMostS, flags)));
  };
  await measure('mixed', 45, []);
  await measure('sorted', 45, []);
  await measure('mixed', 35, ['--give-up-after', '10s']);
  await measure('sorted', 35, ['--give-up-after', '10s']);
  await measure('big', 16, []);
  return rows;
}

async function measureList(
  bench: WebBench,
  name: 'mixed' | 'sorted' | 'big',
  what: string,
  atMostS: number,
  flags: readonly string[],
): Promise<Row[]> {
  const origin = await startWeb();
  try {
    const lists = webLists(SEED, origin.port);
    const urls = lists[name];
    const alive = name === 'big' ? urls.length : lists.alive;
    const list = join(bench.dir, 'web.txt');
    await writeFile(list, urls.map((url) => `${url}\n`).join(''));
    const output = ['-o', join(bench.dir, 'web-results.txt'), '--no-progress', '--summary', 'json'];
    const { wallMs, stderr } = await runProcess(
      [process.execPath, bench.program, 'fetch', list, ...FLAGS, ...flags, ...output],
      { limitMs: LIMIT_MS },
    );
    const { ok } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as { ok: number }; // its own summary
    const { requests, pushBacks } = await origin.counts();
    const percent = (100 * pushBacks) / requests;
    const seconds = `${(wallMs / 1000).toFixed(1)}s`;
    bench.log(
      `${what}: ${seconds}, ${ok} of ${alive} URLs, ${pushBacks} of ${requests} requests pushed back`,
    );
    return [
      { what, figure: seconds, value: wallMs / 1000, target: { is: 'at most', value: atMostS, unit: 's' } },
      {
        what: `${what}: lost`,
        figure: `${alive - ok} of ${alive}`,
        value: alive - ok,
        target: { is: 'at most', value: 0 },
      },
      {
        what: `${what}: pushed back`,
        figure: `${pushBacks} of ${requests}`,
        value: percent,
        target: { is: 'at most', value: 1, unit: '%' },
      },
    ];
  } finally {
    origin.close();
  }
}

async function startWeb() {
  const child = fork(fileURLToPath(new URL('web-process.ts', import.meta.url)), [String(SEED)]);
  const [port]: number[] = await once(child, 'message');
  return {
    port: port ?? 0,
    counts: async (): Promise<{ readonly requests: number; readonly pushBacks: number }> => {
      child.send('counts');
      return (await once(child, 'message'))[0];
    },
    close: () => child.disconnect(),
  };
}
