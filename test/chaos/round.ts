import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { CliResult } from '../origin/run-cli.ts';
import { seededRandom } from '../seeded-random.ts';
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.ts';
import type { Part } from './part.ts';
import { World, type WorldPlan } from './world.ts';

const LOOK_INTERVAL_MS = 1500;

/** Which faults a run has, and how large it is. */
export interface RoundPlan extends WorldPlan {
  readonly faults: readonly FaultName[];
}

export interface RoundReport {
  /** What was done to the run. */
  readonly done: readonly string[];
  /** Records in the output of the collector. */
  readonly results: number;
  /** Requests that were not the first for their URL. */
  readonly fetchedTwice: number;
  /** How often the chunks without results were sent again. */
  readonly reconciled: number;
  readonly seconds: number;
  /** Collectors that said that they do not have all results, while another one has them. */
  readonly short: number;
  /** What is wrong; empty if each URL has exactly one result and all exit codes are right. */
  readonly faults: readonly string[];
  /** The messages of all processes. */
  readonly messages: string;
  /** Where the files of the round are, if something is wrong. */
  readonly dir: string;
}

/** What a plan is given; the rest of it follows from the seed. */
interface RoundWishes {
  /** The fault that a round certainly has. */
  readonly main: FaultName;
  /** Whether it has no others. */
  readonly isOnly?: boolean;
  /** URLs of the list at most. */
  readonly maxUrls?: number;
}

/** Faults that a run can have once. */
const ONCE: readonly FaultName[] = ['full', 'versions'];

/** The same plan for the same seed. */
export function planRound(seed: number, { main, isOnly = false, maxUrls = 3000 }: RoundWishes): RoundPlan {
  const random = seededRandom(seed);
  const pick = <T>(first: T, ...others: readonly T[]): T =>
    [first, ...others][Math.floor(random() * (1 + others.length))] ?? first;
  const servers = main === 'leader' || (main !== 'full' && random() < 0.15) ? 3 : 1;
  const others = FAULT_NAMES.filter((name) => !ONCE.includes(name) && (servers === 3 || name !== 'leader'));
  const more = Array.from({ length: 2 + Math.floor(random() * 5) }, () =>
    isOnly ? main : pick('kill', ...others),
  );
  return {
    urls: Math.floor(((1 + 2 * random()) / 3) * maxUrls),
    chunk: pick(10, 25, 60),
    partitions: pick(undefined, 1, 4, 16),
    workers: pick(2, 3),
    servers,
    ackWaitMs: 1000,
    hasFailures: random() < 0.5,
    isOrdered: random() < 0.3,
    hasShards: random() < 0.25,
    isStoreSmall: main === 'full',
    faults: isOnly && ONCE.includes(main) ? [main] : [main, ...more],
  };
}

/** Does a round, in a directory of its own that is kept if something is wrong. It gives up after `limitMs`. */
export async function runRound(plan: RoundPlan, seed: number, limitMs: number): Promise<RoundReport> {
  const startedAt = performance.now();
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'fanout-chaos-')));
  const random = seededRandom(seed + 1_000_000);
  const world = await World.create(plan, dir, seededRandom(seed + 2_000_000));
  const over = new AbortController();
  const done: string[] = [];
  const operator = { reconciled: 0 };
  const faults: string[] = [];
  let results = 0;
  let short = 0;
  try {
    const operating = operate(world, operator, over.signal);
    const outcome = await Promise.race([
      doAll(world, plan.faults, { done, random }).then(() => 'done' as const, String),
      pause(limitMs, 'late' as const, { signal: over.signal }),
    ]);
    if (outcome === 'late') faults.push(`not over after ${limitMs / 1000} s: ${await stateOf(world)}`);
    else if (outcome !== 'done') faults.push(outcome);
    over.abort();
    await operating;
    if (outcome === 'done') {
      results = (await outputOf(world.collector)).length;
      short = (await shortCollectors(world)).length;
      faults.push(...(await faultsIn(world, short)));
    }
  } finally {
    over.abort();
    await world.close();
  }
  const messages = world.parts.map((part) => `--- ${part.name}\n${part.messages}`).join('');
  if (faults.length === 0) await rm(dir, { recursive: true, force: true });
  return {
    ...{ done, results, short, faults, messages, dir, reconciled: operator.reconciled },
    fetchedTwice: world.origin.requests - world.origin.served,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** Starts the run, does one fault after the other to it, and waits for the end of all its parts. */
async function doAll(
  world: World,
  names: readonly FaultName[],
  { done, random }: { readonly done: string[]; readonly random: () => number },
): Promise<void> {
  const { origin, plan } = world;
  const share = (at: number) => Math.floor((0.8 * plan.urls * at) / names.length);
  origin.allow(share(1));
  for (const part of world.parts) part.start();
  for (const [index, name] of names.entries()) {
    // A full store stops the run early.
    if (name !== 'full') await origin.reached(share(index + 0.5));
    done.push(await FAULTS[name](world, random));
    origin.allow(share(index + 2));
  }
  origin.allow(Number.POSITIVE_INFINITY);
  await Promise.all(world.parts.map((part) => part.done));
}

/** Looks at the run again and again as an operator would, and sends the missing chunks again when that is what is needed. */
async function operate(world: World, operator: { reconciled: number }, signal: AbortSignal): Promise<void> {
  let isShort = false;
  while (!signal.aborted) {
    await pause(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    // A single look may come between two moments, as at the servers of a cluster that are not yet in step.
    const wasShort = isShort;
    isShort = (await stateOf(world)) === 'short';
    const isAdvised = /continue with "fanout cluster feed --reconcile"/.test(world.feeder.lastWords);
    if (!(isShort && wasShort) && !isAdvised) continue;
    const { code } = await world.reconcile().catch(() => ({ code: null }));
    if (code === 0) operator.reconciled += 1;
  }
}

/** The state that `status` shows, or the end of what it says instead. */
async function stateOf(world: World): Promise<string> {
  const { stdout, stderr } = await world
    .command('status', '--json')
    .catch(String)
    .then((result) => (typeof result === 'string' ? { stdout: '', stderr: result } : result));
  try {
    return String(JSON.parse(stdout).state);
  } catch {
    return stderr.trim().slice(-300);
  }
}

interface OutputRecord {
  readonly index: number;
  readonly ok: boolean;
  readonly status?: number;
}

/** The records that a collector has written. */
async function outputOf(collector: Part): Promise<readonly OutputRecord[]> {
  const text = await readFile(join(collector.cwd, 'out.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** What is wrong after the end of a run. */
async function faultsIn(world: World, short: number): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const part of [world.feeder, ...world.workers]) {
    const { code, stderr } = await part.done;
    if (code !== 0) faults.push(`${part.name} ended with ${code}: ${stderr.slice(-300)}`);
  }
  const { collectors } = world;
  for (const part of collectors) {
    const { code, stderr } = await part.done;
    const found = faultsOfCollector({ code, stderr, records: await outputOf(part) }, world);
    faults.push(...found.map((fault) => `${part.name}: ${fault}`));
  }
  if (short === collectors.length) faults.push('no collector has all results');
  const status = await world.command('status', '--json');
  const state = status.code === 0 ? JSON.parse(status.stdout).state : status.stderr;
  if (state !== 'complete') faults.push(`the status after the end is ${state}`);
  const purge = await world.command('purge', '--yes');
  if (purge.code !== 0) faults.push(`purge ended with ${purge.code}: ${purge.stderr}`);
  const runs = await world.command('runs', '--json');
  if (runs.stdout !== '') faults.push(`after the purge there are runs: ${runs.stdout}`);
  return faults;
}

const SHORT = 'another collector has completed this run';

async function shortCollectors(world: World): Promise<readonly CliResult[]> {
  const ends = await Promise.all(world.collectors.map((part) => part.done));
  return ends.filter(({ stderr }) => stderr.includes(SHORT));
}

interface CollectorEnd {
  readonly code: number | null;
  readonly stderr: string;
  readonly records: readonly OutputRecord[];
}

/** What is wrong with a collector and its output. One that started after a loss of data may be short, but must say so. */
function faultsOfCollector(
  { code, stderr, records }: CollectorEnd,
  { list, plan }: World,
): readonly string[] {
  const faults: string[] = [];
  const seen = new Map<number, OutputRecord>();
  for (const record of records) {
    if (seen.has(record.index)) faults.push(`line ${record.index + 1} has two results`);
    seen.set(record.index, record);
  }
  const missing = list.filter((_, index) => !seen.has(index)).length;
  const said = Number(/(\d+) not fetched/.exec(stderr)?.[1] ?? 0);
  const failed = list.filter(({ status }, index) => status !== 200 && seen.has(index)).length;
  if (missing !== said) faults.push(`${missing} lines have no result, and it says ${said}`);
  if (!summaryOf(list.length - missing - failed, failed).test(stderr))
    faults.push(`it does not say that ${failed} failed: ${stderr.slice(-300)}`);
  const wanted = failed + missing > 0 ? 1 : 0;
  if (code !== wanted) faults.push(`it ended with ${code} instead of ${wanted}: ${stderr.slice(-300)}`);
  if (missing > 0 && !stderr.includes(SHORT))
    faults.push(
      `${missing} lines have no result, such as ${list.find((_, index) => !seen.has(index))?.line}`,
    );
  for (const [index, record] of seen) {
    const status = list[index]?.status;
    if (record.status !== status || record.ok !== (status === 200))
      faults.push(`line ${index + 1} has ${JSON.stringify(record)} instead of ${status}`);
  }
  if (plan.isOrdered && records.some(({ index }, at) => index <= (records[at - 1]?.index ?? -1)))
    faults.push('the results are not in order');
  return faults.length <= 5 ? faults : [...faults.slice(0, 5), `and ${faults.length - 5} more`];
}

function summaryOf(ok: number, failed: number): RegExp {
  return new RegExp(`Done: ${ok} succeeded( \\([^)]*\\))?, ${failed} failed`);
}
