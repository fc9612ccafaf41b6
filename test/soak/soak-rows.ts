import type { Row } from '../bench/row.ts';
import type { Account } from './account.ts';
import type { Sample, SampledRun } from './sampled-run.ts';

const SOME_FAILED = 1;

/** What is asked of a soak, and how it came out. */
export function soakRows(run: SampledRun, account: Account, urls: number, concurrency: number): Row[] {
  const { samples, exitCode, stderr, wallMs } = run;
  const read = readOf(stderr);
  return [
    exactly('exit code', String(exitCode), exitCode === SOME_FAILED ? 0 : 1),
    exactly('URLs in the summary', read.toLocaleString('en'), Math.abs(read - urls)),
    exactly('records', account.results.toLocaleString('en'), Math.abs(account.results - urls)),
    exactly('records that are not as they must be', String(account.faults.length), account.faults.length),
    { what: 'outcomes', figure: outcomesText(account) },
    { what: 'time', figure: `${(wallMs / 1000).toFixed(0)}s, ${Math.round((urls * 1000) / wallMs)} URLs/s` },
    ...resourceRows(samples, concurrency),
  ];
}

function resourceRows(samples: readonly Sample[], concurrency: number): Row[] {
  const memory = samples.map(({ rssBytes }) => rssBytes / 1e6);
  const fifth = Math.floor(memory.length / 5);
  const [early, late] = [median(memory.slice(fifth, 2 * fifth)), median(memory.slice(-fifth))];
  const peak = Math.max(...memory);
  const descriptors = Math.max(...samples.map((sample) => sample.descriptors));
  const lags = samples.map(({ lagP99Ms }) => lagP99Ms);
  return [
    {
      what: 'peak memory',
      figure: `${peak.toFixed(0)}MB`,
      value: peak,
      target: { is: 'at most', value: 250, unit: 'MB' },
    },
    {
      what: 'memory of the last fifth',
      figure: `${late.toFixed(0)}MB`,
      beside: `second fifth ${early.toFixed(0)}MB`,
      value: late / early,
      target: { is: 'at most', value: 1.15 },
    },
    {
      what: 'descriptors at most',
      figure: String(descriptors),
      value: descriptors,
      target: { is: 'at most', value: 2 * concurrency + 100 },
    },
    {
      what: 'event-loop lag, p99 of each second',
      figure: `median ${median(lags).toFixed(0)}ms, worst ${Math.max(...lags).toFixed(0)}ms`,
    },
  ];
}

/** A row in which nothing may be wrong. */
function exactly(what: string, figure: string, wrong: number): Row {
  return { what, figure, value: wrong, target: { is: 'at most', value: 0 } };
}

/** How many URLs the program says it has read; NaN when it has said nothing. */
function readOf(stderr: string): number {
  const line = stderr.split('\n').find((text) => text.startsWith('{'));
  return line === undefined ? Number.NaN : Number((JSON.parse(line) as { read?: number }).read);
}

function outcomesText({ outcomes }: Account): string {
  const sorted = [...outcomes].sort((a, b) => b[1] - a[1]);
  return sorted.map(([outcome, count]) => `${outcome} ${count.toLocaleString('en')}`).join(', ');
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
