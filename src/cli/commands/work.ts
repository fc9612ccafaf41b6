import { workOptions } from '../../config/broker-command-options.ts';
import type { ProgramOptions } from '../../config/program-options.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { givenTo, resolveAsProgram } from '../broker-flags.ts';
import { warner } from '../broker-warnings.ts';
import { EXIT } from '../exit-code.ts';
import { openBroker } from '../open-broker.ts';
import { openMetrics } from '../open-metrics.ts';
import { checkInlineBody, openShards } from '../open-shards.ts';
import { type RequestParts, requestParts } from '../request-parts.ts';
import { showConfig } from '../show-config.ts';
import { Signals } from '../signals.ts';
import { WorkRun } from '../work-run.ts';

export interface WorkArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout work`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function workCommand({ flags, process, version }: WorkArguments): Promise<number> {
  const options = resolveAsProgram(workOptions, await givenTo(flags, process.env), version);
  if (options.printConfig) return showConfig(workOptions, options, process);
  checkInlineBody(options);
  const request = await requestParts(options, process.env);
  const warn = warner(process);
  Error.stackTraceLimit = 0; // as in a fetch: errors whose traces nobody reads
  const metrics = await openMetrics(options.metrics, { role: 'work', run: options.run, process, warn });
  try {
    return await workRun({ options, request, process, warn, metrics });
  } finally {
    metrics?.close();
  }
}

interface WorkParts {
  readonly options: ProgramOptions;
  readonly request: RequestParts;
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  readonly metrics: Metrics | undefined;
}

async function workRun({ options, request, process, warn, metrics }: WorkParts): Promise<number> {
  const { engine, run } = await openBroker(options, warn);
  const shards = await openShards(options, process).catch(async (error: unknown) => {
    await engine.close();
    throw error;
  });
  const told = metrics?.countResults();
  const { lanes } = options;
  const work = new WorkRun({ engine, options, request, shards, lanes, process, warn, told });
  metrics?.watchBroker(engine, { hasQueue: false });
  metrics?.watchWork(work);
  let left: Promise<void> | undefined;
  const signals = new Signals(process, {
    stop: (name) => {
      warn(`${name}: finishing the chunks in hand; once more to give them back at once`);
      work.drain();
    },
    abort: (message) => {
      left = work.abort(message);
    },
    quit: () => {
      left?.then(() => engine.close()).catch(() => {});
    },
  });
  try {
    await work.run();
    warn(`worked on ${work.urls} URLs of the run "${run}", ${work.chunks.finished} chunks`);
    return signals.received === undefined ? EXIT.ok : EXIT[signals.received];
  } finally {
    signals.close();
    await shards?.close();
    await engine.close();
  }
}
