import { isatty } from 'node:tty';
import { flagLayer, resolveOptions } from '../../config/option-sources.ts';
import { type DiffOptions, diffOptions } from '../../config/report-command-options.ts';
import { classifyInput } from '../../input/input.ts';
import { type DiffSink, diffJsonSink, diffTextSink } from '../../output/diff-output.ts';
import type { LineOutput } from '../../output/line-writer.ts';
import { type Difference, RunDiff } from '../../results/diff.ts';
import { paintFor } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkOutputs, openOutput } from '../output-files.ts';
import { checkRecordFiles, forEachRecord } from '../record-files.ts';

export interface DiffArguments {
  /** The earlier run, and the later one. */
  readonly names: readonly string[];
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/**
 * `fanout diff`: resolves to the exit code, 1 when something broke. Throws the errors of `model/errors.ts`. A reader
 * that has seen enough of the differences changes nothing about that code.
 */
export async function diffCommand({ names, flags, process }: DiffArguments): Promise<number> {
  const options = resolveOptions(diffOptions, [flagLayer(diffOptions, flags, {})]).values;
  await checkRecordFiles(names);
  await checkOutputs(names.map(classifyInput), { '--output': options.output });
  const [old = '', now = ''] = names;
  const output = await openOutput(options.output, process);
  const sink = await sinkFor(options, output, process);
  const diff = new RunDiff({ ratio: options.slower, floorMs: options.slowerBy });
  const reading = {
    stdin: process.stdin,
    shards: options.shards,
    warn: (text: string) => void process.stderr.write(`fanout: ${text}\n`),
  };
  try {
    const damaged =
      (await forEachRecord([old], reading, (result) => diff.remember(result))) +
      (await forEachRecord([now], reading, (result) => writeAll(diff.compare(result), sink)));
    if (damaged > 0) return EXIT.usage;
    return diff.counts.broke > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    await sink.end(diff.counts);
  }
}

async function sinkFor(
  { format, output: file, color, quiet }: DiffOptions,
  output: LineOutput,
  process: NodeJS.Process,
): Promise<DiffSink> {
  if (format === 'json') return diffJsonSink(output);
  const isTerminal = (file === undefined || file === '-') && isatty(1);
  return diffTextSink(output, { paint: await paintFor(color, isTerminal, process.env), quiet });
}

/** A promise only when there is something to write: most results have not changed. */
function writeAll(differences: readonly Difference[], sink: DiffSink): void | Promise<void> {
  if (differences.length === 0) return;
  return (async () => {
    for (const difference of differences) await sink.write(difference);
  })();
}
