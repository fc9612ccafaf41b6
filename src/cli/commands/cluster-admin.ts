import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { sendList } from '../../cluster/feeder.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import { isRunName, retryName } from '../../cluster/jetstream-setup.ts';
import { deadUrls } from '../../cluster/poison-urls.ts';
import { describeRun } from '../../cluster/run-registry.ts';
import { COMPLETE_KEY, listRuns, type RunStatus, StatusReader, stopText } from '../../cluster/run-state.ts';
import { brokerOptions } from '../../config/cluster-options.ts';
import { deadOptions, purgeOptions, runsOptions, statusOptions } from '../../config/command-options.ts';
import type { OptionValues } from '../../config/option.ts';
import { systemClock } from '../../core/clock.ts';
import { UsageError } from '../../model/errors.ts';
import type { Job } from '../../model/job.ts';
import { excerpt, printable } from '../../model/printable.ts';
import { encodeRequest, withJsonKey } from '../../output/failed-list.ts';
import { escapeJson } from '../../output/jsonl.ts';
import { brokerAddress, connectToRun, loadOptionSources, resolveAdminOptions } from '../cluster.ts';
import { EXIT } from '../exit-code.ts';
import { createOutput } from '../output-files.ts';
import { printConfig } from '../print-config.ts';
import { createMessages, type Messages, writeText } from '../terminal.ts';

/** How often `--watch` shows the status. */
const WATCH_INTERVAL_MS = 1000;

const STATES: Readonly<Record<RunStatus['state'], string>> = {
  feeding: 'sending the list',
  working: 'the whole list is sent',
  short:
    'INCOMPLETE: the queue is empty, but some chunks have no results; run "fanout cluster feed --reconcile" with the same inputs',
  stopped: 'stopped',
  fetched: 'all is fetched; run "fanout cluster collect" to write the results',
  complete: 'complete',
};

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
  const { engine, run } = await connectToRun(values, createMessages(process), { isReadOnly: true });
  const { id } = engine.record;
  const reader = new StatusReader(engine);
  try {
    for (;;) {
      const status = await reader.read();
      const text = values.json
        ? `${JSON.stringify({ run, id, ...status })}\n`
        : statusText(`${run} (${id})`, status);
      writeText(process.stdout, text);
      if (!values.watch || status.state === 'complete' || status.state === 'stopped')
        return status.state === 'short' || status.state === 'stopped' ? EXIT.failed : EXIT.ok;
      await pause(WATCH_INTERVAL_MS);
    }
  } finally {
    await engine.close();
  }
}

function statusText(run: string, status: RunStatus): string {
  const { state, stopped, collector, urls, chunks, sent, done, ok, failed, etaSeconds } = status;
  const lines = [
    `${run}: ${stopped === undefined ? STATES[state] : `stopped ${stopText(stopped)}; run "fanout cluster collect" to continue`}`,
    `  sent        ${sent}${chunks === undefined ? ' chunks so far' : ` of ${chunks} chunks, ${urls} URLs`}`,
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

/** `fanout cluster purge`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function purgeCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(purgeOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  const messages = createMessages(process);
  const { engine } = await connectToRun(values, messages, { isReadOnly: true });
  try {
    if (!values.yes && (await engine.state(COMPLETE_KEY)) !== true) await confirmPurge(engine, process);
    await engine.purge();
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
  const runs = await listRuns({ address: await brokerAddress(values), ...createMessages(process) });
  for (const { record, isComplete, finished, hasName } of runs) {
    const { id, name, startedAt, inputs } = record;
    const names = inputs.map((input) => (input.name === '-' ? 'standard input' : input.name)).join(' ');
    const state = isComplete ? 'complete' : `${finished} chunks done`;
    writeText(
      process.stdout,
      values.json
        ? `${JSON.stringify({ ...record, hasName, isComplete, chunksDone: finished })}\n`
        : `${id}  ${startedAt.slice(0, 16)}Z  ${state.padEnd(16)}  ${hasName ? name : `(${name})`}  ${printable(names, 200)}\n`,
    );
  }
  return EXIT.ok;
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
  const messages = createMessages(process);
  if (action === 'retry') return retryDead(values, messages);
  const { engine } = await connectToRun(values, messages);
  try {
    // An exported job has its headers and its body.
    const output = await createOutput(values.output, process, { isPrivate: action === 'export' });
    for (const { job, reason } of await deadUrls(engine)) {
      const line =
        action === 'list'
          ? `${job.source}:${job.line}  ${job.url}  ${printable(reason)}`
          : escapeJson(JSON.stringify(withJsonKey(encodeRequest(job))));
      await output.write(`${line}\n`);
    }
    if (action === 'list') for (const reason of await engine.unreadable()) await output.write(`${reason}\n`);
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
async function retryDead(values: OptionValues<typeof brokerOptions>, messages: Messages): Promise<number> {
  const { engine, run } = await connectToRun(values, messages);
  let jobs: readonly Job[];
  try {
    await checkComplete(engine, run);
    jobs = (await deadUrls(engine)).map(({ job }) => job);
  } finally {
    await engine.close();
  }
  if (jobs.length === 0) {
    messages.note(`the run "${run}" has no dead URLs`);
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
