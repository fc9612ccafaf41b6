import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from './contenders.ts';
import { type TimedReport, timed } from './cpu-time.ts';
import { isInstalled, missingNote } from './missing.ts';
import type { Nginx } from './nginx.ts';
import type { Row } from './row.ts';

export interface SavedBench {
  readonly nginx: Nginx;
  readonly program: string;
  readonly dir: string;
  readonly rounds: number;
  log(text: string): void;
}

const SMALL = 20_000;
const BIG = 40;
const BIG_BYTES = 50_000_000;
const JOURNALED = 100_000;

/** Bodies that are saved, beside aria2 and curl, and what a journal costs. The best round of each counts. */
export async function measureSaved(bench: SavedBench): Promise<Row[]> {
  return [...(await smallBodies(bench)), ...(await bigBodies(bench)), await journalCost(bench)];
}

async function smallBodies(bench: SavedBench): Promise<Row[]> {
  const paths = Array.from({ length: SMALL }, (_, index) => `small/${index >> 8}/${index}.txt`);
  const best = await bestOf(bench, paths, ['fanout', 'aria2c', 'curl']);
  const what = `${SMALL.toLocaleString('en')} bodies of 1 kB saved: wall time`;
  return [
    beside(what, best, { name: 'aria2c', debianPackage: 'aria2', atMost: 0.5 }),
    beside(what, best, { name: 'curl', debianPackage: 'curl', atMost: 1.5 }),
  ];
}

async function bigBodies(bench: SavedBench): Promise<Row[]> {
  const paths = Array.from({ length: BIG }, (_, index) => `big/${index}.bin`);
  const best = await bestOf(bench, paths, ['fanout', 'curl']);
  const what = `${BIG} bodies of ${BIG_BYTES / 1e6} MB saved`;
  const own = best.get('fanout');
  const curl = best.get('curl');
  const megabytes = (own?.peakRssBytes ?? Number.NaN) / 1e6;
  const speed = {
    what: `${what}: throughput`,
    figure: `${Math.round((BIG * BIG_BYTES) / 1e3 / (own?.wallMs ?? Number.NaN))}MB/s`,
    target: { is: 'at least', value: 0.8 } as const,
  };
  return [
    curl === undefined
      ? { ...speed, missing: missingNote('curl', 'curl') }
      : {
          ...speed,
          beside: `curl ${Math.round((BIG * BIG_BYTES) / 1e3 / curl.wallMs)}MB/s`,
          value: curl.wallMs / (own?.wallMs ?? Number.NaN),
        },
    {
      what: `${what}: peak memory`,
      figure: `${megabytes.toFixed(0)}MB`,
      value: megabytes,
      target: { is: 'at most', value: 200, unit: 'MB' },
    },
  ];
}

/** One list with and without a journal. */
async function journalCost({ nginx, program, dir, rounds, log }: SavedBench): Promise<Row> {
  const list = join(dir, 'journaled.txt');
  const journal = join(dir, 'journal');
  const urls = Array.from({ length: JOURNALED }, (_, index) => `${nginx.url}?${index}\n`);
  await writeFile(list, urls.join(''));
  const flags = ['-c', '64', '--no-progress', '-o', join(dir, 'journaled-results.txt')];
  const command: Command = [process.execPath, program, 'fetch', list, ...flags];
  const best = { without: Number.POSITIVE_INFINITY, with: Number.POSITIVE_INFINITY };
  for (let round = 1; round <= rounds; round += 1) {
    best.without = Math.min(best.without, (await wellTimed(command)).wallMs);
    await rm(journal, { force: true });
    best.with = Math.min(best.with, (await wellTimed([...command, '--journal', journal])).wallMs);
    log(`round ${round}: ${seconds(best.without)}, with a journal ${seconds(best.with)}`);
  }
  return {
    what: `${JOURNALED.toLocaleString('en')} URLs with a journal: wall time`,
    figure: seconds(best.with),
    beside: `without ${seconds(best.without)}`,
    value: best.with / best.without,
    target: { is: 'at most', value: 1.1 },
  };
}

async function bestOf(
  { nginx, program, dir, rounds, log }: SavedBench,
  paths: readonly string[],
  names: readonly string[],
): Promise<ReadonlyMap<string, TimedReport>> {
  const urls = paths.map((path) => ({ url: `${nginx.origin}/${path}`, path }));
  const best = new Map<string, TimedReport>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of names) {
      if (name !== 'fanout' && !isInstalled(name)) continue;
      const target = join(dir, `saved-${name}`);
      await rm(target, { recursive: true, force: true });
      await mkdir(target);
      const report = await wellTimed(await COMMANDS[name]?.({ urls, dir, target, program }));
      const found = await readdir(target, { recursive: true, withFileTypes: true });
      const files = found.filter((entry) => entry.isFile()).length;
      if (files !== urls.length) throw new Error(`${name} saved ${files} of ${urls.length} bodies`);
      log(`round ${round}: ${name} ${seconds(report.wallMs)}, ${Math.round(report.cpuMs)}ms of CPU`);
      if (report.wallMs < (best.get(name)?.wallMs ?? Number.POSITIVE_INFINITY)) best.set(name, report);
      await rm(target, { recursive: true });
    }
  }
  return best;
}

interface Saving {
  readonly urls: readonly { readonly url: string; readonly path: string }[];
  readonly dir: string;
  readonly target: string;
  readonly program: string;
}

const COMMANDS: Readonly<Record<string, (saving: Saving) => Promise<Command>>> = {
  fanout: async ({ urls, dir, target, program }) => {
    const list = join(dir, 'saved.txt');
    await writeFile(list, urls.map(({ url }) => `${url}\n`).join(''));
    const output = ['--save-dir', target, '-o', join(dir, 'saved-results.txt'), '--no-progress'];
    return [process.execPath, program, 'fetch', list, '-c', '16', ...output];
  },
  aria2c: async ({ urls, dir, target }) => {
    const list = join(dir, 'saved-aria2.txt');
    await writeFile(list, urls.map(({ url, path }) => `${url}\n  out=${path}\n`).join(''));
    return ['aria2c', '-q', '--no-conf', '-j16', '-x1', '-d', target, '-i', list];
  },
  curl: async ({ urls, dir, target }) => {
    const config = join(dir, 'saved-curl.txt');
    const lines = urls.map(({ url, path }) => `url = "${url}"\noutput = "${target}/${path}"\n`);
    await writeFile(config, lines.join(''));
    return ['curl', '-s', '-Z', '--parallel-max', '16', '--create-dirs', '-K', config];
  },
};

async function wellTimed(command: Command | undefined): Promise<TimedReport> {
  if (command === undefined) throw new Error('there is no such program');
  const report = await timed(command);
  if (report.exitCode !== 0)
    throw new Error(`${command.slice(0, 4).join(' ')} ended with ${report.exitCode}`);
  return report;
}

interface Peer {
  readonly name: string;
  readonly debianPackage: string;
  readonly atMost: number;
}

function beside(what: string, best: ReadonlyMap<string, TimedReport>, peer: Peer): Row {
  const ownMs = best.get('fanout')?.wallMs ?? Number.NaN;
  const peerMs = best.get(peer.name)?.wallMs;
  const row = { what, figure: seconds(ownMs), target: { is: 'at most', value: peer.atMost } as const };
  if (peerMs === undefined) {
    return { ...row, beside: peer.name, missing: missingNote(peer.name, peer.debianPackage) };
  }
  return { ...row, beside: `${peer.name} ${seconds(peerMs)}`, value: ownMs / peerMs };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}
