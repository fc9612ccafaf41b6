import { join } from 'node:path';
import { freePort, type Nginx } from './nginx.ts';
import type { Row } from './row.ts';
import { type ProcessReport, runProcess } from './run-process.ts';

export interface MemoryBench {
  readonly nginx: Nginx;
  readonly program: string;
  readonly dir: string;
  /** Also the run with ten times the URLs, and the one with as many hosts, which take minutes. */
  readonly isLong: boolean;
  log(text: string): void;
}

const FEW = 100_000;
const MANY = 1_000_000;
const LIMIT_MS = 1_200_000;
const BATCH = 1_000;
const MOST_MB = 140;
const MOST_WITH_HOSTS_MB = 160;
const MOST_GROWTH = 1.1;

/** Peak memory for URLs that come through a pipe, which must not depend on how many they are. */
export async function measureMemory(bench: MemoryBench): Promise<Row[]> {
  const url = (index: number) => `${bench.nginx.url}?${index}`;
  const few = await fetchFromPipe(bench, FEW, url);
  const rows: Row[] = [peakRow(`peak memory, ${FEW.toLocaleString('en')} URLs`, few, MOST_MB)];
  if (!bench.isLong) return rows;
  const many = await fetchFromPipe(bench, MANY, url);
  const growth = many.peakRssBytes / few.peakRssBytes;
  const what = `peak memory, ${MANY.toLocaleString('en')} URLs`;
  rows.push(peakRow(what, many, MOST_MB));
  rows.push({
    what,
    figure: megabytes(many),
    beside: `${FEW.toLocaleString('en')} URLs ${megabytes(few)}`,
    value: growth,
    target: { is: 'at most', value: MOST_GROWTH },
  });
  rows.push(...(await measureHosts(bench)));
  return rows;
}

/** A million addresses of the loopback range, none of which listens: each one is a host of its own. */
async function measureHosts(bench: MemoryBench): Promise<Row[]> {
  const port = await freePort();
  const url = (index: number) => {
    const number = index + 256; // 127.0.1.0 and on
    return `http://127.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:${port}/`;
  };
  const report = await fetchFromPipe(bench, MANY, url, ['--retries', '0']);
  const hosts = MANY.toLocaleString('en');
  const perSecond = Math.round((MANY * 1000) / report.wallMs).toLocaleString('en');
  return [
    peakRow(`peak memory, ${hosts} hosts that refuse`, report, MOST_WITH_HOSTS_MB),
    { what: `rate, ${hosts} hosts that refuse`, figure: `${perSecond}/s` },
  ];
}

async function fetchFromPipe(
  bench: MemoryBench,
  count: number,
  url: (index: number) => string,
  flags: readonly string[] = [],
): Promise<ProcessReport> {
  const output = ['-o', join(bench.dir, 'results.txt'), '--no-progress', '--summary', 'json'];
  const report = await runProcess(
    [process.execPath, bench.program, 'fetch', '-', '-c', '64', ...output, ...flags],
    { stdin: lines(count, url), limitMs: LIMIT_MS },
  );
  const summary = JSON.parse(report.stderr) as { ok: number; failed: number }; // its own summary
  if (summary.ok + summary.failed !== count || (flags.length === 0 && summary.failed > 0)) {
    throw new Error(`fanout ended with ${report.exitCode} and ${report.stderr.slice(0, 500)}`);
  }
  bench.log(`${count} URLs from a pipe: ${megabytes(report)}, ${(report.wallMs / 1000).toFixed(1)}s`);
  return report;
}

function* lines(count: number, url: (index: number) => string): Generator<string> {
  for (let start = 0; start < count; start += BATCH) {
    let text = '';
    for (let index = start; index < Math.min(count, start + BATCH); index += 1) text += `${url(index)}\n`;
    yield text;
  }
}

function peakRow(what: string, report: ProcessReport, mostMb: number): Row {
  return {
    what,
    figure: megabytes(report),
    value: report.peakRssBytes / 1e6,
    target: { is: 'at most', value: mostMb, unit: 'MB' },
  };
}

function megabytes(report: ProcessReport): string {
  return `${(report.peakRssBytes / 1e6).toFixed(0)}MB`;
}
