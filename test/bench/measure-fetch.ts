import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, type Contender, contenders } from './contenders.ts';
import { isInstalled, missingNote } from './missing.ts';
import type { Nginx } from './nginx.ts';
import type { Row, Target } from './row.ts';
import { runProcess } from './run-process.ts';

export interface FetchBench {
  readonly nginx: Nginx;
  readonly program: string;
  readonly dir: string;
  readonly urls: number;
  readonly rounds: number;
  log(text: string): void;
}

const LIMIT_MS = 300_000;
const WRK_SECONDS = 4;
const TARGETS: Readonly<Record<string, Target>> = {
  curl: { is: 'at most', value: 0.65 },
  wget2: { is: 'at most', value: 0.7 },
  wrk: { is: 'at least', value: 0.6 },
};

/** A list of URLs of one origin, fetched by each program in turn, round after round; the best round of each counts. */
export async function measureFetch(bench: FetchBench): Promise<Row[]> {
  const urls = Array.from({ length: bench.urls }, (_, index) => `${bench.nginx.url}?${index}`);
  const all = contenders(bench.program);
  const present = all.filter(({ name, debianPackage }) => debianPackage === undefined || isInstalled(name));
  const commands = new Map<Contender, Command>();
  for (const contender of present) commands.set(contender, await contender.prepare(urls, bench.dir));
  const bestMs = new Map<string, number>();
  let bestWrk = 0;
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const [contender, command] of commands) {
      const wallMs = await fetchOnce(bench, contender, command);
      bench.log(`round ${round}: ${contender.name} ${seconds(wallMs)}`);
      bestMs.set(contender.name, Math.min(wallMs, bestMs.get(contender.name) ?? Number.POSITIVE_INFINITY));
    }
    if (isInstalled('wrk')) {
      const perSecond = await wrkOnce(bench);
      bench.log(`round ${round}: wrk ${Math.round(perSecond)}/s`);
      bestWrk = Math.max(bestWrk, perSecond);
    }
  }
  return rowsOf(bench.urls, all, bestMs, bestWrk);
}

async function fetchOnce(bench: FetchBench, contender: Contender, command: Command): Promise<number> {
  const before = await bench.nginx.requests();
  const { exitCode, wallMs, stderr } = await runProcess(command, { limitMs: LIMIT_MS });
  const served = (await bench.nginx.requests()) - before - 1; // less the one that asked for the first count
  if (exitCode !== 0) throw new Error(`${contender.name} ended with ${exitCode}: ${stderr.slice(0, 500)}`);
  if (served !== bench.urls)
    throw new Error(`${contender.name} made ${served} requests for ${bench.urls} URLs`);
  if (contender.debianPackage === undefined) await checkResults(bench);
  return wallMs;
}

async function checkResults({ dir, urls }: FetchBench): Promise<void> {
  const lines = (await readFile(join(dir, 'results.txt'), 'utf8')).split('\n');
  const good = lines.filter((line) => line.startsWith('OK    200  ')).length;
  if (good !== urls) throw new Error(`fanout wrote ${good} good results for ${urls} URLs`);
}

async function wrkOnce({ nginx }: FetchBench): Promise<number> {
  const command: Command = ['wrk', '-t1', '-c64', `-d${WRK_SECONDS}s`, nginx.url];
  const { stdout } = await runProcess(command, { limitMs: LIMIT_MS });
  const perSecond = /^Requests\/sec:\s+([\d.]+)$/m.exec(stdout)?.[1];
  if (perSecond === undefined) throw new Error(`wrk does not tell its rate: ${stdout.slice(0, 500)}`);
  return Number(perSecond);
}

function rowsOf(
  urls: number,
  all: readonly Contender[],
  bestMs: ReadonlyMap<string, number>,
  bestWrk: number,
): Row[] {
  const ownMs = bestMs.get('fanout') ?? Number.NaN;
  const perSecond = (urls * 1000) / ownMs;
  const what = `wall time, ${urls.toLocaleString('en')} URLs`;
  const rows: Row[] = [];
  for (const { name, debianPackage } of all) {
    if (debianPackage === undefined) continue;
    const target = TARGETS[name];
    const peerMs = bestMs.get(name);
    const base = { what, figure: seconds(ownMs), ...(target === undefined ? {} : { target }) };
    if (peerMs === undefined) rows.push({ ...base, beside: name, missing: missingNote(name, debianPackage) });
    else rows.push({ ...base, beside: `${name} ${seconds(peerMs)}`, value: ownMs / peerMs });
  }
  const rate = { what: 'throughput', figure: `${Math.round(perSecond).toLocaleString('en')}/s` };
  const wish = TARGETS.wrk === undefined ? {} : { target: TARGETS.wrk };
  if (bestWrk === 0) rows.push({ ...rate, ...wish, beside: 'wrk', missing: missingNote('wrk', 'wrk') });
  else {
    const beside = `wrk ${Math.round(bestWrk).toLocaleString('en')}/s`;
    rows.push({ ...rate, ...wish, beside, value: perSecond / bestWrk });
  }
  return rows;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}
