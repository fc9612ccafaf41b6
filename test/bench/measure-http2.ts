import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from './contenders.ts';
import { isInstalled, missingNote } from './missing.ts';
import type { Row } from './row.ts';
import { runProcess } from './run-process.ts';

export interface Http2Bench {
  readonly program: string;
  readonly dir: string;
  readonly rounds: number;
  log(text: string): void;
}

const URLS = 100;
const LIMIT_MS = 60_000;

/** 100 URLs of 50 ms at an origin that allows 100 streams, beside curl, in turns. The best round of each counts. */
export async function measureHttp2({ program, dir, rounds, log }: Http2Bench): Promise<Row[]> {
  const child = fork(fileURLToPath(new URL('http2-process.ts', import.meta.url)));
  try {
    const [port] = await once(child, 'message');
    const urls = Array.from({ length: URLS }, (_, index) => `https://127.0.0.1:${port}/${index}`);
    const list = join(dir, 'http2.txt');
    const config = join(dir, 'http2-curl.txt');
    await writeFile(list, urls.map((url) => `${url}\n`).join(''));
    await writeFile(config, urls.map((url) => `url = "${url}"\noutput = /dev/null\n`).join(''));
    const flags = ['-k', '-c', `${URLS}`, '--http2', '--no-progress', '-o', join(dir, 'http2-results.txt')];
    const own: Command = [process.execPath, program, 'fetch', list, ...flags];
    const curl: Command = ['curl', '-s', '-k', '-Z', '--http2', '--parallel-max', `${URLS}`, '-K', config];
    const what = `${URLS} URLs of 50ms over HTTP/2`;
    const target = { is: 'at most', value: 1.2 } as const;
    const hasCurl = isInstalled('curl');
    const best = { own: Number.POSITIVE_INFINITY, curl: Number.POSITIVE_INFINITY };
    for (let round = 1; round <= rounds; round += 1) {
      best.own = Math.min(best.own, await wallMs(own));
      if (hasCurl) best.curl = Math.min(best.curl, await wallMs(curl));
      log(`round ${round}: ${what}, fanout ${ms(best.own)}, curl ${ms(best.curl)}`);
    }
    const row = { what, figure: ms(best.own), target };
    if (!hasCurl) return [{ ...row, missing: missingNote('curl', 'curl') }];
    return [{ ...row, beside: `curl -Z ${ms(best.curl)}`, value: best.own / best.curl }];
  } finally {
    child.disconnect();
  }
}

async function wallMs(command: Command): Promise<number> {
  const { exitCode, wallMs: took } = await runProcess(command, { limitMs: LIMIT_MS });
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}`);
  return took;
}

function ms(value: number): string {
  return `${value.toFixed(0)}ms`;
}
