import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from './contenders.ts';
import { isInstalled, missingNote } from './missing.ts';
import { startNginx } from './nginx.ts';
import type { Row } from './row.ts';
import { type ProcessReport, runProcess } from './run-process.ts';

export interface HostsBench {
  readonly program: string;
  readonly dir: string;
  log(text: string): void;
}

const MANY = 50_000;
/** curl needs minutes for more. */
const FEW = 20_000;
const CONCURRENCY = '256';
const LIMIT_MS = 900_000;

/** As many hosts as URLs, all of them addresses of 127.0.0.0/8: memory, descriptors, and the time beside curl. */
export async function measureHosts(bench: HostsBench): Promise<Row[]> {
  const nginx = await startNginx({ address: '0.0.0.0' });
  try {
    const { pathname, port } = new URL(nginx.url);
    const url = (index: number) => {
      const number = index + 256; // 127.0.1.0 and on
      return `http://127.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:${port}${pathname}`;
    };
    const urls = Array.from({ length: MANY }, (_, index) => url(index));
    const many = await fetchHosts(bench, urls);
    const limited = await fetchHosts(bench, urls, 'ulimit -n 256; ');
    return [...manyRows(many), limitedRow(limited), await besideCurl(bench, urls.slice(0, FEW))];
  } finally {
    await nginx.close();
  }
}

function manyRows({ peakRssBytes, peakDescriptors, wallMs }: ProcessReport): Row[] {
  const what = `${MANY.toLocaleString('en')} hosts, -c ${CONCURRENCY}`;
  const megabytes = peakRssBytes / 1e6;
  return [
    {
      what: `${what}: peak memory`,
      figure: `${megabytes.toFixed(0)}MB in ${seconds(wallMs)}`,
      value: megabytes,
      target: { is: 'at most', value: 200, unit: 'MB' },
    },
    {
      what: `${what}: descriptors`,
      figure: `${peakDescriptors}`,
      value: peakDescriptors,
      target: { is: 'at most', value: 1_500 },
    },
  ];
}

function limitedRow({ exitCode, peakDescriptors, wallMs }: ProcessReport): Row {
  return {
    what: `${MANY.toLocaleString('en')} hosts with ulimit -n 256: exit code`,
    figure: `${exitCode} in ${seconds(wallMs)}, ${peakDescriptors} descriptors`,
    value: exitCode ?? Number.NaN,
    target: { is: 'at most', value: 0 },
  };
}

async function besideCurl(bench: HostsBench, urls: readonly string[]): Promise<Row> {
  const row = { what: `${FEW.toLocaleString('en')} hosts, -c ${CONCURRENCY}: wall time` };
  const target = { is: 'at most', value: 0.35 } as const;
  const { wallMs } = await fetchHosts(bench, urls);
  if (!isInstalled('curl')) {
    return { ...row, figure: seconds(wallMs), target, missing: missingNote('curl', 'curl') };
  }
  const config = join(bench.dir, 'hosts-curl.txt');
  await writeFile(config, urls.map((url) => `url = "${url}"\noutput = /dev/null\n`).join(''));
  const curl: Command = ['curl', '-s', '-Z', '--parallel-max', CONCURRENCY, '-K', config];
  const { exitCode, wallMs: curlMs } = await runProcess(curl, { limitMs: LIMIT_MS });
  if (exitCode !== 0) throw new Error(`curl ended with ${exitCode}`);
  bench.log(`${row.what}: ${seconds(wallMs)}, curl ${seconds(curlMs)}`);
  return {
    ...row,
    figure: seconds(wallMs),
    beside: `curl ${seconds(curlMs)}`,
    value: wallMs / curlMs,
    target,
  };
}

/** Throws when a URL is not OK. `limit` is shell for what holds before the program starts. */
async function fetchHosts(bench: HostsBench, urls: readonly string[], limit = ''): Promise<ProcessReport> {
  const list = join(bench.dir, 'hosts.txt');
  await writeFile(list, urls.map((url) => `${url}\n`).join(''));
  const output = ['-o', join(bench.dir, 'hosts-results.txt'), '--no-progress', '--summary', 'json'];
  const command = [process.execPath, bench.program, 'fetch', list, '-c', CONCURRENCY, ...output];
  const report = await runProcess(['sh', '-c', `${limit}exec "$0" "$@"`, ...command], { limitMs: LIMIT_MS });
  const summary = report.stderr.trimEnd().split('\n').at(-1) ?? '';
  const { ok } = JSON.parse(summary) as { ok: number }; // its own summary
  if (ok !== urls.length)
    throw new Error(`fanout got ${ok} of ${urls.length} hosts: ${report.stderr.slice(0, 500)}`);
  const peak = `${(report.peakRssBytes / 1e6).toFixed(0)}MB, ${report.peakDescriptors} descriptors`;
  bench.log(`${limit}${urls.length} hosts: ${seconds(report.wallMs)}, ${peak}`);
  return report;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}
