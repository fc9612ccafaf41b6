import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isInstalled, missingNote } from '../bench/missing.ts';
import { startNginx } from '../bench/nginx.ts';
import { isMet, renderRows } from '../bench/row.ts';
import { accountFor } from './account.ts';
import { drawSamples } from './draw-samples.ts';
import { sampledRun } from './sampled-run.ts';
import { type SoakOrigins, soakList } from './soak-line.ts';
import { soakRows } from './soak-rows.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/fanout.js', import.meta.url));
const USAGE = 'npm run soak -- [--urls N] [--concurrency N] [--picture FILE] [--markdown]';
const LIMIT_MS = 20 * 60_000;

/** Fetches a long list with every misbehaviour in it, and resolves to 1 when anything of it is not as it must be. */
async function soak(): Promise<number> {
  const { urls, concurrency, picture, format } = settingsFrom(process.argv.slice(2));
  if (!isInstalled('nginx')) throw new Error(missingNote('nginx', 'nginx-light'));
  const dir = await mkdtemp(join(tmpdir(), 'fanout-soak-'));
  const nginx = await startNginx({ address: '0.0.0.0' });
  const others = fork(fileURLToPath(new URL('origins-process.ts', import.meta.url)));
  try {
    const [found] = (await once(others, 'message')) as [Omit<SoakOrigins, 'nginxPort'>]; // see origins-process.ts
    const origins = { ...found, nginxPort: Number(new URL(nginx.origin).port) };
    const results = join(dir, 'results.jsonl');
    const args = ['fetch', '-', '-c', String(concurrency), '--json', '-o', results];
    const limits = ['--timeout', '5s', '--connect-timeout', '2s', '--retries', '1', '--max-size', '1mb'];
    const kept = ['--journal', join(dir, 'journal'), '--no-progress', '--summary', 'json'];
    const run = await sampledRun([PROGRAM, ...args, ...limits, ...kept], soakList(urls, origins), LIMIT_MS);
    const account = await accountFor(results, urls, origins);
    if (picture !== undefined) await writeFile(picture, drawSamples(run.samples));
    const rows = soakRows(run, account, urls, concurrency);
    console.log(renderRows(rows, format));
    for (const fault of account.faults) console.log(fault);
    return rows.every((row) => isMet(row) !== false) ? 0 : 1;
  } finally {
    others.disconnect();
    await nginx.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function settingsFrom(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      urls: { type: 'string', default: '1000000' },
      concurrency: { type: 'string', default: '128' },
      picture: { type: 'string' },
      markdown: { type: 'boolean', default: false },
    },
  });
  const [urls, concurrency] = [Number(values.urls), Number(values.concurrency)];
  if (!(urls >= 1 && concurrency >= 1)) throw new Error(`Cannot use these options: ${USAGE}`);
  const format: 'markdown' | 'text' = values.markdown ? 'markdown' : 'text';
  return { urls, concurrency, picture: values.picture, format };
}

process.exitCode = await soak();
