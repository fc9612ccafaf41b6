import { isatty } from 'node:tty';
import { feed } from '../../broker/feeder.ts';
import type { QueueEngine } from '../../broker/queue-engine.ts';
import { feedOptions } from '../../config/broker-command-options.ts';
import { parseExpectation } from '../../config/expectation.ts';
import type { Resolved } from '../../config/option.ts';
import { checkInputs } from '../../input/check-inputs.ts';
import { type Input, inputName } from '../../input/input.ts';
import type { Tally } from '../../input/job-maker.ts';
import { readJobs } from '../../input/read-jobs.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { systemClock } from '../../system-clock.ts';
import { givenTo, resolvePart } from '../broker-flags.ts';
import { warner } from '../broker-warnings.ts';
import { countSent } from '../count-sent.ts';
import { EXIT } from '../exit-code.ts';
import { inputsOf } from '../inputs-of.ts';
import { jobWire } from '../job-wire.ts';
import { newRunOf, openBroker } from '../open-broker.ts';
import { openMetrics } from '../open-metrics.ts';
import { showConfig } from '../show-config.ts';
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
  const warn = warner(process);
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
  const end = () => {
    reading.abort();
    engine.close().catch(() => {});
  };
  const signals = new Signals(process, { stop: () => reading.abort(), abort: end, quit: end });
  const { unique, defaultScheme } = values;
  const tally: Tally = { read: 0, skipped: 0 };
  const lines = { unique, defaultScheme, parseExpectation, stdin: process.stdin, signal: reading.signal };
  try {
    const fed = await feed({
      ...values,
      engine,
      wire: jobWire,
      jobs: readJobs(inputs, lines, tally),
      tally,
      inputs: [...inputs.map(inputName), `unique=${unique}`, `default-scheme=${defaultScheme ?? ''}`],
      now: systemClock.now,
      signal: reading.signal,
      sent: metrics && countSent(metrics, engine, tally),
    });
    if (fed !== undefined)
      warn(`the run "${run}" has ${fed.read} URLs in ${fed.chunks} chunks: all are sent`);
    else await tellHowFar(engine, run, warn);
    return signals.received === undefined ? EXIT.ok : EXIT[signals.received];
  } finally {
    signals.close();
    await engine.close();
  }
}

async function tellHowFar(engine: QueueEngine, run: string, warn: (text: string) => void): Promise<void> {
  const sent = await engine.published();
  warn(`${sent} chunks of the run "${run}" are sent: the same command goes on from there`);
}
