import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { Journal } from '../../src/journal/journal.ts';
import type { Job } from '../../src/model/job.ts';
import type { OkResult } from '../../src/model/result.ts';
import type { Row } from './row.ts';
import { runProcess } from './run-process.ts';

export interface JournalLoadBench {
  /** How many records the journal has. */
  readonly records: number;
  log(text: string): void;
}

interface Load {
  readonly loadMs: number;
  readonly recallUs: number;
  /** Largest resident memory while it loaded, above what the process had before. */
  readonly memoryBytes: number;
}

const TARGET_RECORDS = 10_000_000;
const LIMIT_MS = 600_000;
const GET = { method: 'GET', headers: {} };
const RECALLS = 200_000;
const THIS = fileURLToPath(import.meta.url);

/** How long a journal takes to load, and in how much memory: ten million records in 15 s and 250 MB, 50 of which any journal takes. */
export async function measureJournalLoad(bench: JournalLoadBench): Promise<Row[]> {
  const { records, log } = bench;
  const dir = await mkdtemp(join(tmpdir(), 'fanout-journal-'));
  try {
    const path = join(dir, 'journal.jsonl');
    const bytes = await writeJournal(path, records);
    log(`journal of ${records} records, ${(bytes / 1e9).toFixed(2)}GB: written`);
    const command = [process.execPath, '--import', 'tsx', THIS, path] as const;
    const report = await runProcess(command, { limitMs: LIMIT_MS });
    if (report.exitCode !== 0) throw new Error(`Cannot load the journal: ${report.stderr}`);
    const load = JSON.parse(report.stdout) as Load; // printed below
    return rowsOf(load, records);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function rowsOf(load: Load, records: number): Row[] {
  const share = records / TARGET_RECORDS;
  const what = `journal of ${records.toLocaleString('en')} records`;
  const [seconds, megabytes] = [load.loadMs / 1000, load.memoryBytes / 1e6];
  return [
    {
      what: `${what}: load`,
      figure: `${seconds.toFixed(1)}s`,
      value: seconds,
      target: { is: 'at most', value: 15 * share, unit: 's' },
    },
    {
      what: `${what}: memory`,
      figure: `${megabytes.toFixed(0)}MB`,
      value: megabytes,
      target: { is: 'at most', value: 50 + 200 * share, unit: 'MB' },
    },
    { what: `${what}: recall of one`, figure: `${load.recallUs.toFixed(1)}us` },
  ];
}

async function writeJournal(path: string, records: number): Promise<number> {
  const journal = await openJournal(path);
  for (let index = 0; index < records; index++) {
    const job = jobOf(index);
    journal.recall(job, GET);
    await journal.write(resultOf(job));
  }
  await journal.end();
  return (await stat(path)).size;
}

function openJournal(path: string): Promise<Journal> {
  const warn = (message: string) => console.error(message);
  return Journal.open(path, {
    rules: '',
    keepFailed: false,
    warn,
    clock: systemClock,
    processes: process,
  });
}

function jobOf(index: number): Pick<Job, 'index' | 'source' | 'line' | 'url'> {
  const url = `https://www.example.com/some/directory/page-${index}.html?session=${index}`;
  return { index, source: 'urls.txt', line: index + 1, url };
}

function resultOf(job: ReturnType<typeof jobOf>): OkResult {
  return {
    ...job,
    method: 'GET',
    ok: true,
    status: 200,
    attempts: 1,
    redirects: [],
    bytes: 12_345,
    truncated: false,
    contentType: 'text/html; charset=utf-8',
    startedAt: 1_767_225_600_000 + job.index,
    durationMs: 34.1,
    totalMs: 34.1,
    ttfbMs: 30.2,
  };
}

/** The process that is measured: it loads the journal and recalls a part of it. */
async function load(path: string): Promise<Load> {
  const idleBytes = process.memoryUsage.rss();
  const started = performance.now();
  const journal = await openJournal(path);
  const loaded = performance.now();
  const memoryBytes = process.resourceUsage().maxRSS * 1024 - idleBytes;
  const recalls = Math.min(RECALLS, journal.records);
  for (let index = 0; index < recalls; index++) {
    if (journal.recall(jobOf(index), GET) === undefined) throw new Error(`record ${index} is not there`);
  }
  const recallUs = ((performance.now() - loaded) * 1000) / recalls;
  await journal.end();
  return { loadMs: loaded - started, recallUs, memoryBytes };
}

if (process.argv[1] === THIS) console.log(JSON.stringify(await load(process.argv[2] ?? '')));
