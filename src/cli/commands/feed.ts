import { feed } from '../../cluster/feeder.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { type RunStop, stopText } from '../../cluster/run-state.ts';
import { feedOptions } from '../../config/command-options.ts';
import { parseExpectation } from '../../config/expectations.ts';
import type { OptionValues } from '../../config/option.ts';
import { resolveCommandOptions, withExcludeFile } from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { readSettings } from '../../core/own-file.ts';
import type { Input } from '../../input/input.ts';
import { type InputCounts, readJobs } from '../../input/read-jobs.ts';
import { createRemap, createUrlFilter } from '../../model/url-filter.ts';
import { escapeJson } from '../../output/jsonl.ts';
import {
  checkUnchanged,
  connectToRun,
  countSentChunks,
  createMetrics,
  loadOptionSources,
  noteEarlierRun,
  setClusterLog,
  toNewRun,
} from '../cluster.ts';
import { EXIT } from '../exit-code.ts';
import { countInputs, resolveInputs } from '../inputs.ts';
import { Signals } from '../signals.ts';
import { createMessages, type Messages, printConfig, writeText } from '../terminal.ts';

export interface FeedArguments {
  readonly inputs: readonly string[];
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout cluster feed`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function feedCommand(args: FeedArguments): Promise<number> {
  const { flags, process } = args;
  const { values: given } = resolveCommandOptions(feedOptions, await loadOptionSources(flags, process.env));
  if (given.printConfig) return printConfig(feedOptions, given, process);
  setClusterLog(given, process, 'feed');
  const values = await withExcludeFile(given, readSettings);
  const inputs = await resolveInputs(args.inputs, values, process);
  const messages = createMessages(process);
  const { note } = messages;
  const metrics = await createMetrics(values.metrics, { role: 'feed', run: values.run, process, note });
  try {
    return await feedRun({ values, inputs, process, messages, metrics });
  } finally {
    metrics?.close();
  }
}

interface FeedParts {
  readonly values: OptionValues<typeof feedOptions>;
  readonly inputs: readonly Input[];
  readonly process: NodeJS.Process;
  readonly messages: Messages;
  readonly metrics: Metrics | undefined;
}

async function feedRun({ values, inputs, process, messages, metrics }: FeedParts): Promise<number> {
  const connected = await connectToRun(values, messages, { newRun: toNewRun(values, inputs) });
  const { engine, run } = connected;
  noteEarlierRun(connected, messages);
  const reading = new AbortController();
  const leaving = new AbortController();
  const stop = () => {
    metrics?.drain();
    reading.abort();
    leaving.abort();
  };
  let isAborted = false;
  const abort = () => {
    isAborted = true;
    engine.close().catch(() => {});
  };
  const signals = new Signals(process, { stop, abort, quit: abort });
  const { unique, defaultScheme, null: isNullSeparated, column } = values;
  const counts: InputCounts = { read: 0, skipped: 0 };
  const { signal } = reading;
  const format = { isNullSeparated, column };
  const options = {
    unique,
    filter: createUrlFilter(values),
    remap: createRemap(values.remap),
    defaultScheme,
    ...format,
    parseExpectation,
    stdin: process.stdin,
    signal,
    keepsInput: true,
  };
  try {
    const outcome = await feed({
      ...values,
      engine,
      jobs: readJobs(inputs, options, counts),
      tally: counts,
      checkUnchanged: () => checkUnchanged(engine, inputs),
      now: systemClock.now,
      sent: metrics && countSentChunks(metrics, engine, counts),
      reading,
      count: (signal) => countInputs(inputs, signal, format),
      leaving: leaving.signal,
    });
    const { end, stop: stopped } = outcome;
    if (values.json) {
      const state = end !== undefined ? 'sent' : stopped === undefined ? 'interrupted' : 'stopped';
      const { read, skipped } = end ?? counts;
      const chunks = end?.chunks ?? (engine.isConnected ? await engine.published() : undefined);
      const { cause, limit, reason } = stopped ?? {};
      const why = stopped && { cause, limit, reason };
      const sent = { run, id: engine.record.id, state, read, skipped, chunks, stopped: why };
      writeText(process.stdout, `${escapeJson(JSON.stringify(sent))}\n`);
    }
    if (end !== undefined) {
      const { read, chunks } = end;
      const text = `sent the whole list to the run "${run}": ${read} URLs in ${chunks} chunks`;
      messages.note(text, { read, chunks });
    } else {
      await warnIncomplete(engine, run, { messages, stop: stopped });
    }
    if (signals.received !== undefined) return EXIT[signals.received];
    return stopped === undefined ? EXIT.ok : EXIT.failed;
  } catch (error) {
    // `abort` closes the connection, which ends the wait for an unreachable broker with an error.
    if (isAborted && signals.received !== undefined) return EXIT[signals.received];
    throw error;
  } finally {
    signals.close();
    await engine.close();
  }
}

async function warnIncomplete(
  engine: JetStreamEngine,
  run: string,
  { messages, stop }: Pick<FeedParts, 'messages'> & { readonly stop: RunStop | undefined },
): Promise<void> {
  if (!engine.isConnected) return;
  const sent = await engine.published();
  const condition =
    stop === undefined ? '' : `it was stopped ${stopText(stop)}; start "fanout cluster collect" first, then `;
  messages.warn(
    `sent ${sent} chunks of the run "${run}": ${condition}run the same command again to continue`,
  );
}
