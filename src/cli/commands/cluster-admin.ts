import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { sendList } from '../../cluster/feeder.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import { reasonText } from '../../cluster/jetstream-queue.ts';
import { isMissing, isRunName, retryName } from '../../cluster/jetstream-setup.ts';
import { listWorkers } from '../../cluster/lease.ts';
import { deadUrls } from '../../cluster/poison-urls.ts';
import { describeRun } from '../../cluster/run-registry.ts';
import {
  COMPLETE_KEY,
  type ControlAction,
  type ControlOutcome,
  controlRun,
  type ListedRun,
  listRuns,
  type RunStatus,
  StatusReader,
  stopText,
} from '../../cluster/run-state.ts';
import { brokerOptions } from '../../config/cluster-options.ts';
import {
  deadOptions,
  purgeOptions,
  resumeOptions,
  runsOptions,
  statusOptions,
  stopOptions,
  workersOptions,
} from '../../config/command-options.ts';
import type { OptionValues } from '../../config/option.ts';
import { systemClock } from '../../core/clock.ts';
import { UsageError } from '../../model/errors.ts';
import type { Job } from '../../model/job.ts';
import { excerpt, printable } from '../../model/printable.ts';
import { encodeRequest, withJsonKey } from '../../output/failed-list.ts';
import { escapeJson } from '../../output/jsonl.ts';
import {
  brokerAddress,
  connectToRun,
  loadOptionSources,
  resolveAdminOptions,
  setClusterLog,
} from '../cluster.ts';
import { EXIT } from '../exit-code.ts';
import { createOutput } from '../output-files.ts';
import { createMessages, type Messages, printConfig, writeText } from '../terminal.ts';

/** How often `--watch` shows the status. */
const WATCH_INTERVAL_MS = 1000;

const STATES: Readonly<Record<RunStatus['state'], string>> = {
  feeding: 'sending the list',
  working: 'the whole list is sent',
  short:
    'INCOMPLETE: the queue is empty, but some chunks have no results; run "fanout cluster feed --reconcile" with the same inputs',
  paused: 'paused',
  stopped: 'stopped',
  fetched: 'all is fetched; run "fanout cluster collect" to write the results',
  complete: 'complete',
};

/** The states in which a run does not go on by itself. */
const NEEDS_SOMEBODY: ReadonlySet<RunStatus['state']> = new Set(['short', 'paused', 'stopped']);

const COLLECTORS: Readonly<Record<RunStatus['collector'], string>> = {
  here: 'is running',
  none: 'NONE: start "fanout cluster collect"',
  silent: 'does not respond',
};

export interface AdminArguments {
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout cluster status`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function statusCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(statusOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  setClusterLog(values, process, 'status');
  const { engine, run } = await connectToRun(values, createMessages(process), { isReadOnly: true });
  const { id } = engine.record;
  const reader = new StatusReader(engine);
  try {
    for (;;) {
      const status = await reader.read();
      if (values.json) writeJson(process, { run, id, ...status });
      else writeText(process.stdout, statusText(`${run} (${id})`, status));
      if (!values.watch || status.state === 'complete' || status.state === 'stopped')
        return NEEDS_SOMEBODY.has(status.state) ? EXIT.failed : EXIT.ok;
      await pause(WATCH_INTERVAL_MS);
    }
  } finally {
    await engine.close();
  }
}

function statusText(run: string, status: RunStatus): string {
  const { state, collector, urls, expectedUrls, chunks, sent, done, ok, failed, etaSeconds } = status;
  const listText = expectedUrls === undefined ? '' : ` of a list of ${expectedUrls} URLs`;
  const lines = [
    `${run}: ${stateText(status)}`,
    `  sent        ${sent}${chunks === undefined ? ` chunks so far${listText}` : ` of ${chunks} chunks, ${urls} URLs`}`,
    `  waiting     ${status.queued} chunks`,
    `  in flight   ${status.underWay} chunks`,
    `  done        ${done} chunks, ${ok} OK, ${failed} failed, ${status.dead} of them dead`,
    `  rate        ${status.urlsPerSecond} URLs/s${etaSeconds === undefined ? '' : `, about ${etaSeconds} s left`}`,
  ];
  if (state !== 'complete') {
    lines.push(`  oldest      chunk ${status.oldest} is the first without a result`);
    lines.push(`  collector   ${COLLECTORS[collector]}`);
  }
  return `${lines.join('\n')}\n`;
}

function stateText({ state, stopped, paused }: Pick<RunStatus, 'state' | 'stopped' | 'paused'>): string {
  if (stopped !== undefined) {
    return `stopped ${stopText(stopped)}; use "fanout cluster resume", or run "fanout cluster collect" to continue`;
  }
  if (state === 'paused' && paused !== undefined) {
    return `paused by an operator since ${minute(paused.since)}${reasonText(paused.reason)}; use "fanout cluster resume" to continue`;
  }
  return STATES[state];
}

/** A time without its seconds. */
function minute(isoDate: string): string {
  return `${isoDate.slice(0, 16)}Z`;
}

export interface ControlArguments extends AdminArguments {
  readonly action: ControlAction;
}

/** `fanout cluster stop`, `pause` and `resume`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function controlCommand({ action, flags, process }: ControlArguments): Promise<number> {
  const sources = await loadOptionSources(flags, process.env);
  const table = action === 'resume' ? resumeOptions : stopOptions;
  const { values } = resolveAdminOptions<typeof resumeOptions>(table, sources);
  const { reason }: { readonly reason?: string | undefined } = { reason: undefined, ...values };
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  setClusterLog(values, process, action);
  const messages = createMessages(process);
  const { engine, run } = await connectToRun(values, messages);
  try {
    const outcome = await controlRun(engine, action, { reason, nowMs: systemClock.now() });
    const { state, isChanged, ended, stopped, paused } = outcome;
    const { id } = engine.record;
    if (values.json) writeJson(process, { run, id, state, isChanged, ended, stopped, paused });
    else messages.note(controlText(action, describeRun(engine.record), outcome));
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

/** What a command has done with a run, for people. */
function controlText(action: ControlAction, run: string, outcome: ControlOutcome): string {
  const { state, isChanged, ended, stopped, paused } = outcome;
  if (state === 'complete') return `the run ${run} is complete: there is nothing to ${action}`;
  if (action === 'resume') {
    if (ended === 'pause') return `resumed the run ${run}: its workers continue`;
    if (ended === undefined) return `the run ${run} is neither stopped nor paused: nothing was changed`;
    return `resumed the run ${run}: start its workers, its collector and, unless the whole list was sent, its feeder again`;
  }
  if (!isChanged) {
    const before = stopped === undefined ? `paused since ${minute(paused?.since ?? '')}` : stopText(stopped);
    return action === 'pause'
      ? `the run ${run} is ${before} already${reasonText(paused?.reason)}: nothing was changed`
      : `the run ${run} was stopped ${before} already: nothing was changed`;
  }
  return action === 'pause'
    ? `paused the run ${run}: its workers finish the chunks they have, and lease no more until "fanout cluster resume"`
    : `stopped the run ${run}: its workers finish the requests in flight and end, and so do feeder and collector; "fanout cluster resume" or "fanout cluster collect" continues it`;
}

/** Writes an object as a line of JSON on standard output. */
function writeJson({ stdout }: Pick<NodeJS.Process, 'stdout'>, value: object): void {
  writeText(stdout, `${toJsonLine(value)}\n`);
}

function toJsonLine(value: object): string {
  return escapeJson(JSON.stringify(value));
}

/** `fanout cluster purge`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function purgeCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(purgeOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  setClusterLog(values, process, 'purge');
  const messages = createMessages(process);
  const { engine, run } = await connectToRun(values, messages, { isReadOnly: true });
  try {
    if (!values.yes && (await engine.state(COMPLETE_KEY)) !== true) await confirmPurge(engine, process);
    await engine.purge();
    if (values.json) writeJson(process, { run, id: engine.record.id, isPurged: true });
    else
      messages.note(
        `deleted the run ${describeRun(engine.record)} from the broker; what collectors have written is kept`,
      );
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

/** Asks on a terminal. Throws a `UsageError` unless the response is yes. */
async function confirmPurge(engine: JetStreamEngine, process: NodeJS.Process): Promise<void> {
  const { stdin, stderr } = process;
  const { sent, queued, inFlight } = await engine.stats();
  const what =
    queued + inFlight > 0
      ? `the run ${describeRun(engine.record)} is not complete: of ${sent} chunks, ${queued + inFlight} are not fetched`
      : `no collector has taken all results of the run ${describeRun(engine.record)}`;
  if (!stdin.isTTY) throw new UsageError(`${what}; use --yes to delete it`);
  const prompt = createInterface({ input: stdin, output: stderr });
  try {
    const response = await prompt.question(`${what}. Delete it? [y/N] `);
    if (!/^y(es)?$/i.test(response.trim())) throw new UsageError('nothing was deleted');
  } finally {
    prompt.close();
  }
}

/** `fanout cluster runs`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function runsCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(runsOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(runsOptions, values, process);
  setClusterLog(values, process, 'runs');
  const runs = await listRuns({ address: await brokerAddress(values), ...createMessages(process) });
  for (const run of runs) {
    const { record, ...state } = run;
    if (values.json) writeJson(process, { ...record, ...state });
    else writeText(process.stdout, runText(run));
  }
  return EXIT.ok;
}

/** A line of `fanout cluster runs`. */
function runText({ record, hasName, state, stopped, paused, ...counts }: ListedRun): string {
  const { id, name, startedAt, inputs } = record;
  const { chunksDone, chunks, urls } = counts;
  const names = inputs.map((input) => (input.name === '-' ? 'standard input' : input.name)).join(' ');
  const done = chunks === undefined ? `${chunksDone} chunks` : `${percent(chunksDone, chunks)}%`;
  const columns = [
    id,
    minute(startedAt),
    state.padEnd(8),
    done.padStart(11),
    (urls === undefined ? '' : `${urls} URLs`).padStart(15),
    hasName ? name : `(${name})`,
    printable(names, 200),
  ];
  if (stopped !== undefined) columns.push(`stopped ${stopText(stopped)}`);
  if (paused !== undefined) columns.push(`paused since ${minute(paused.since)}${reasonText(paused.reason)}`);
  return `${columns.join('  ')}\n`;
}

/** Rounded down: 100 only if all is done. */
function percent(done: number, all: number): number {
  return all === 0 ? 100 : Math.floor((100 * done) / all);
}

/** `fanout cluster workers`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function workersCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(workersOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  setClusterLog(values, process, 'workers');
  const messages = createMessages(process);
  const { engine } = await connectToRun(values, messages, { isReadOnly: true });
  try {
    const workers = await listWorkers(engine, systemClock.now()).catch((error: unknown) => {
      if (isMissing(error)) return []; // the broker has lost its data
      throw error;
    });
    if (workers.length === 0) messages.note(`the run ${describeRun(engine.record)} has no workers`);
    for (const worker of workers) {
      if (values.json) writeJson(process, worker);
      else writeText(process.stdout, workerText(worker));
    }
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

/** A line of `fanout cluster workers`. */
function workerText(worker: Awaited<ReturnType<typeof listWorkers>>[number]): string {
  const { name, version, isLeaving, chunks, partitions, urls, urlsPerSecond, silentMs } = worker;
  const columns = [
    name.padEnd(24),
    version,
    `${chunks} chunks`.padStart(10),
    `${partitions.length} partitions`.padStart(14),
    `${urls} URLs`.padStart(14),
    `${urlsPerSecond} URLs/s`.padStart(12),
    `heard ${Math.round(silentMs / 1000)} s ago`,
  ];
  if (isLeaving) columns.push('leaving');
  return `${columns.join('  ')}\n`;
}

export interface DeadArguments extends AdminArguments {
  /** `list`, `export` or `retry`. */
  readonly action: string;
}

/** `fanout cluster dead`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function deadCommand({ action, flags, process }: DeadArguments): Promise<number> {
  if (action !== 'list' && action !== 'export' && action !== 'retry') {
    throw new UsageError(`unknown action "${excerpt(action, 50)}": use list, export or retry`);
  }
  const { values } = resolveAdminOptions(deadOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  setClusterLog(values, process, 'dead');
  const messages = createMessages(process);
  if (action === 'retry') return retryDead(values, messages, process);
  const { engine } = await connectToRun(values, messages);
  try {
    // An exported job has its headers and its body.
    const output = await createOutput(values.output, process, { isPrivate: action === 'export' });
    for (const { job, reason } of await deadUrls(engine)) {
      const { source, line, url, id } = job;
      const text = `${source}:${line}  ${url}  ${printable(reason)}`;
      const listed = values.json ? toJsonLine({ source, line, url, id, reason }) : text;
      await output.write(`${action === 'list' ? listed : toJsonLine(withJsonKey(encodeRequest(job)))}\n`);
    }
    // Messages that could not be read have no URL.
    for (const reason of action === 'list' ? await engine.unreadable() : [])
      await output.write(`${values.json ? toJsonLine({ reason }) : reason}\n`);
    await output.end();
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

/**
 * `fanout cluster dead retry`: sends the dead URLs of a complete run again, as a run of its own with one URL per chunk. They cannot be
 * sent again in the same run, because its results are already counted and written. Resolves to the exit code.
 */
async function retryDead(
  values: OptionValues<typeof deadOptions>,
  messages: Messages,
  process: NodeJS.Process,
): Promise<number> {
  const { engine, run } = await connectToRun(values, messages);
  let jobs: readonly Job[];
  try {
    await checkComplete(engine, run);
    jobs = (await deadUrls(engine)).map(({ job }) => job);
  } finally {
    await engine.close();
  }
  const { id } = engine.record;
  if (jobs.length === 0) {
    if (values.json) writeJson(process, { run, id, urls: 0 });
    else messages.note(`the run "${run}" has no dead URLs`);
    return EXIT.ok;
  }
  const name = retryName(run);
  if (!isRunName(name)) {
    throw new UsageError(
      `the name of the new run, "${name}", is longer than 64 characters: use "fanout cluster dead export | fanout cluster feed - --run NAME"`,
    );
  }
  const retry = await connectToRun({ ...values, run: name }, messages, {
    newRun: {
      settings: { ...engine.settings, chunk: 1 },
      wanted: {},
      list: [],
      inputs: async () => [{ name: `the dead URLs of ${engine.record.id}` }],
      now: systemClock.now,
    },
  });
  try {
    await feedJobs(retry.engine, jobs);
  } finally {
    await retry.engine.close();
  }
  if (values.json) {
    writeJson(process, { run, id, urls: jobs.length, retry: { run: name, id: retry.engine.record.id } });
    return EXIT.ok;
  }
  messages.note(
    `the run "${name}" has the ${jobs.length} dead URLs of "${run}": run "fanout cluster work --run ${name}" and "fanout cluster collect --run ${name}"`,
  );
  return EXIT.ok;
}

// Before the run is complete more URLs may die, and each retry would send other URLs.
async function checkComplete(engine: JetStreamEngine, run: string): Promise<void> {
  if ((await engine.state(COMPLETE_KEY)) === true) return;
  throw new UsageError(
    `cannot retry the dead URLs of the run "${run}": it is not complete; wait until "fanout cluster collect" has ended, or use "fanout cluster dead export"`,
  );
}

function feedJobs(engine: JetStreamEngine, jobs: readonly Job[]): Promise<unknown> {
  return sendList({
    engine,
    jobs: oneBatch(jobs),
    tally: { read: jobs.length, skipped: 0 },
    checkUnchanged: async () => {},
    reconcile: false,
    allowEmpty: false,
    now: systemClock.now,
    signal: new AbortController().signal,
  });
}

async function* oneBatch(jobs: readonly Job[]): AsyncGenerator<readonly Job[], void, void> {
  yield jobs;
}
