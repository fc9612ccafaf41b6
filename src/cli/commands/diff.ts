import { isatty } from 'node:tty';
import { type DiffOptions, diffOptions } from '../../config/command-options.ts';
import { optionsFromFlags } from '../../config/option-sources.ts';
import { formatOfName } from '../../config/output-options.ts';
import { resolveOptions } from '../../config/resolve-options.ts';
import { classifyInput } from '../../input/input.ts';
import { excerpt } from '../../model/printable.ts';
import { type DiffSink, diffJsonSink, diffTextSink } from '../../output/diff-output.ts';
import type { LineOutput } from '../../output/line-writer.ts';
import { type Difference, RunDiff } from '../../results/diff.ts';
import { EXIT } from '../exit-code.ts';
import { checkOutputs, createOutput, isStandardOutput } from '../output-files.ts';
import { checkRecordFiles, forEachRecord } from '../record-files.ts';
import { createMessages, createPaint } from '../terminal.ts';

export interface DiffArguments {
  /** The files of the earlier and of the later run. */
  readonly names: readonly string[];
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/**
 * `fanout diff`: resolves to the exit code, 1 if a URL newly fails, even if the reader of the differences closes the pipe early.
 * Throws the errors of `model/errors.ts`.
 */
export async function diffCommand({ names, flags, process }: DiffArguments): Promise<number> {
  const options = resolveOptions(diffOptions, [optionsFromFlags(diffOptions, flags, {})]).values;
  await checkRecordFiles(names);
  await checkOutputs(names.map(classifyInput), { '--output': options.output });
  const [earlier = '', later = ''] = names;
  const output = await createOutput(options.output, process);
  const sink = await createSink(options, output, process);
  const diff = new RunDiff({ ratio: options.slower, floorMs: options.slowerBy });
  const { warn, error } = createMessages(process);
  const records = { stdin: process.stdin, shards: options.store, onDamage: error };
  let isUsable = false;
  try {
    let damaged = await forEachRecord([earlier], records, (result) => diff.addEarlier(result));
    const isOldUnusable = damaged > 0 && diff.counts.old === 0;
    if (!isOldUnusable) {
      damaged += await forEachRecord([later], records, (result) => writeAll(diff.compare(result), sink));
      for (const differences of diff.rest()) await writeAll(differences, sink);
    }
    // Nothing is written of a file that is not a result at all.
    isUsable = damaged === 0 || (!isOldUnusable && diff.counts.new > 0);
    if (damaged > 0) return EXIT.usage;
    for (const removed of diff.removed()) await sink.writeRemoved(removed);
    warnAboutMissing(diff.missing, { earlier, later }, warn);
    return diff.counts.newlyFailing > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    if (isUsable) await sink.end(diff.counts);
    else if (isStandardOutput(options.output)) await output.end();
    else output.destroy();
  }
}

/** Without all results, a URL that is not in a file may be OK. */
function warnAboutMissing(
  missing: RunDiff['missing'],
  files: { readonly earlier: string; readonly later: string },
  warn: (message: string) => void,
): void {
  for (const run of ['earlier', 'later'] as const) {
    if (missing[run] === 0) continue;
    const consequence = run === 'earlier' ? '"added" URLs may be old' : '"removed" URLs may be OK';
    warn(
      `${excerpt(files[run])} lacks at least ${missing[run]} results of its run (--only-failures?), so ${consequence}`,
    );
  }
}

async function createSink(
  { output: file, format = isJsonName(file) ? 'json' : 'text', color, quiet }: DiffOptions,
  output: LineOutput,
  process: NodeJS.Process,
): Promise<DiffSink> {
  if (format === 'json') return diffJsonSink(output);
  const isTerminal = (file === undefined || file === '-') && isatty(process.stdout.fd);
  return diffTextSink(output, { paint: await createPaint(color, isTerminal, process.env), quiet });
}

function isJsonName(file: string | undefined): boolean {
  const format = formatOfName(file);
  return format === 'json' || format === 'jsonl';
}

/** Returns a promise only if there is something to write, because most results have not changed. */
function writeAll(differences: readonly Difference[], sink: DiffSink): void | Promise<void> {
  if (differences.length === 0) return;
  return (async () => {
    for (const difference of differences) await sink.write(difference);
  })();
}
