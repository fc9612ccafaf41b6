import { collectOptions } from '../../config/broker-command-options.ts';
import type { ProgramOptions } from '../../config/program-options.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { givenTo, resolveAsProgram } from '../broker-flags.ts';
import { warner } from '../broker-warnings.ts';
import { checkOutputs } from '../check-outputs.ts';
import { CollectRun } from '../collect-run.ts';
import { EXIT } from '../exit-code.ts';
import { openBroker } from '../open-broker.ts';
import { openMetrics } from '../open-metrics.ts';
import { showConfig } from '../show-config.ts';
import { Signals } from '../signals.ts';

export interface CollectArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout collect`: resolves to the exit code, as that of `fanout fetch`. Throws the errors of `model/errors.ts`. */
export async function collectCommand({ flags, process, version }: CollectArguments): Promise<number> {
  const options = resolveAsProgram(collectOptions, await givenTo(flags, process.env), version);
  if (options.printConfig) return showConfig(collectOptions, options, process);
  const warn = warner(process, options.silent);
  const metrics = await openMetrics(options.metrics, { role: 'collect', run: options.run, process, warn });
  try {
    return await collectRun({ options, process, warn, metrics });
  } finally {
    metrics?.close();
  }
}

interface CollectParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  readonly metrics: Metrics | undefined;
}

async function collectRun({ options, process, warn, metrics }: CollectParts): Promise<number> {
  const { engine, run } = await openBroker(options, warn);
  const storePath = options.store ?? `fanout-${run}.jsonl`;
  try {
    await checkOutputs([], {
      '--store': storePath,
      '--output': options.output,
      '--failed': options.failed,
      '--baseline': options.baseline,
      '--state': options.state,
      ...Object.fromEntries(
        options.report?.map(({ kind, file }) => [`--report ${kind}=${file}`, file]) ?? [],
      ),
    });
    const collecting = new CollectRun({ engine, run, storePath, options, process, warn });
    metrics?.watchBroker(engine, { hasQueue: true });
    metrics?.watchCollect(collecting);
    const signals = new Signals(process, {
      stop: () => collecting.stop(),
      abort: () => {
        engine.close().catch(() => {});
      },
      quit: () => collecting.quit(),
    });
    try {
      const code = await collecting.run();
      return signals.received === undefined ? code : EXIT[signals.received];
    } finally {
      signals.close();
    }
  } finally {
    await engine.close();
  }
}
