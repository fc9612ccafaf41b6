import { isatty } from 'node:tty';
import { feedUntilStopped } from '../../cluster/feeder.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import { jobWire } from '../../cluster/job-codec.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { type RunStop, stopText } from '../../cluster/run-stop.ts';
import { feedOptions } from '../../config/cluster-command-options.ts';
import { parseExpectation } from '../../config/expectations.ts';
import type { Resolved } from '../../config/option.ts';
import { systemClock } from '../../core/clock.ts';
import { checkInputs, type Input, inputName } from '../../input/input.ts';
import { type InputCounts, readJobs } from '../../input/read-jobs.ts';
import { countSent, givenTo, newRunOf, openBroker, openMetrics, resolvePart } from '../cluster.ts';
import { createWarn } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { countInputs, inputsOf } from '../inputs.ts';
import { showConfig } from '../print-config.ts';
import { Signals } from '../signals.ts';

export interface FeedArguments {
  readonly inputs: readonly string[];
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout feed`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function feedCommand(args: FeedArguments): Promise<number> {
  const { flags, process } = args;
  const { values } = resolvePart(feedOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(feedOptions, values, process);
  const inputs = inputsOf(args.inputs, isatty(0));
  await checkInputs(inputs);
  const warn = createWarn(process);
  const metrics = await openMetrics(values.metrics, { role: 'feed', run: values.run, process, warn });
  try {
    return await feedRun({ values, inputs, process, warn, metrics });
  } finally {
    metrics?.close();
  }
}

interface FeedParts {
  readonly values: Resolved<typeof feedOptions>;
  readonly inputs: readonly Input[];
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  readonly metrics: Metrics | undefined;
}

async function feedRun({ values, inputs, process, warn, metrics }: FeedParts): Promise<number> {
  const { engine, run } = await openBroker(values, warn, newRunOf(values));
  const reading = new AbortController();
  const leaving = new AbortController();
  const stop = () => {
    reading.abort();
    leaving.abort();
  };
  let isGivenUp = false;
  const end = () => {
    isGivenUp = true;
    engine.close().catch(() => {});
  };
  const signals = new Signals(process, { stop, abort: end, quit: end });
  const { unique, defaultScheme } = values;
  const tally: InputCounts = { read: 0, skipped: 0 };
  const lines = { unique, defaultScheme, parseExpectation, stdin: process.stdin, signal: reading.signal };
  try {
    const fed = await feedUntilStopped({
      ...values,
      engine,
      wire: jobWire,
      jobs: readJobs(inputs, lines, tally),
      tally,
      inputs: [...inputs.map(inputName), `unique=${unique}`, `default-scheme=${defaultScheme ?? ''}`],
      now: systemClock.now,
      sent: metrics && countSent(metrics, engine, tally),
      reading,
      count: (signal) => countInputs(inputs, signal),
      leaving: leaving.signal,
    });
    if (fed.end !== undefined)
      warn(`the run "${run}" has ${fed.end.read} URLs in ${fed.end.chunks} chunks: all are sent`);
    else await tellHowFar(engine, run, { warn, stop: fed.stop });
    if (signals.received !== undefined) return EXIT[signals.received];
    return fed.stop === undefined ? EXIT.ok : EXIT.failed;
  } catch (error) {
    // A broker that is away was waited for until the connection was closed.
    if (isGivenUp && signals.received !== undefined) return EXIT[signals.received];
    throw error;
  } finally {
    signals.close();
    await engine.close();
  }
}

interface Teller {
  readonly warn: (text: string) => void;
  readonly stop: RunStop | undefined;
}

async function tellHowFar(engine: JetStreamEngine, run: string, { warn, stop }: Teller): Promise<void> {
  if (!engine.isConnected) return;
  const sent = await engine.published();
  const when = stop === undefined ? '' : `it was stopped ${stopText(stop)}; after "fanout collect" `;
  warn(`${sent} chunks of the run "${run}" are sent: ${when}the same command goes on from there`);
}
