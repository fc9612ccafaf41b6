import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isatty } from 'node:tty';
import { type ReportCommandOptions, reportCommandOptions } from '../../config/command-options.ts';
import { optionsFromFlags } from '../../config/option-sources.ts';
import { formatOfName } from '../../config/output-options.ts';
import { resolveOptions } from '../../config/resolve-options.ts';
import { classifyInput } from '../../input/input.ts';
import { UsageError } from '../../model/errors.ts';
import { SummaryFold } from '../../model/summary.ts';
import { csvSink } from '../../output/csv.ts';
import { jsonlSink } from '../../output/jsonl.ts';
import type { LineOutput } from '../../output/line-writer.ts';
import { reportSink, sedReport, textReport } from '../../output/reports/report-sink.ts';
import type { Sink } from '../../results/sink.ts';
import { EXIT } from '../exit-code.ts';
import { checkOutputs, createOutput, isStandardOutput } from '../output-files.ts';
import { checkRecordFiles, forEachRecord } from '../record-files.ts';
import { createMessages, createPaint } from '../terminal.ts';

export interface ReportArguments {
  readonly names: readonly string[];
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

type ReportFormat = NonNullable<ReportCommandOptions['format']>;

/**
 * `fanout report`: resolves to the exit code, which depends on whether every line could be read, and not on the results.
 * Throws the errors of `model/errors.ts`.
 */
export async function reportCommand({ names, flags, process }: ReportArguments): Promise<number> {
  const given = resolveOptions(reportCommandOptions, [
    optionsFromFlags(reportCommandOptions, flags, {}),
  ]).values;
  const options = { ...given, format: given.format ?? formatOfName(given.output) ?? 'text' };
  const files = toFiles(names, isatty(process.stdin.fd));
  await checkRecordFiles(files);
  await checkOutputs(files.map(classifyInput), { '--output': options.output });
  const hasRecords = options.format === 'jsonl' || options.format === 'json';
  const isPrivate = hasRecords && (await hasPrivateFile(files));
  const output = await createOutput(options.output, process, { isPrivate });
  const reading = new AbortController();
  output.closed.then(() => reading.abort());
  const sink = await createSink(options, output, process);
  const { stdin } = process;
  const { error } = createMessages(process);
  const records = { stdin, shards: options.store, signal: reading.signal, onDamage: error };
  let results = 0;
  let damaged: number | undefined;
  try {
    damaged = await forEachRecord(files, records, (result) => {
      results += 1;
      return sink.write(result);
    });
    return damaged > 0 && !reading.signal.aborted ? EXIT.usage : EXIT.ok;
  } finally {
    // No report is made of what is not a result at all.
    if (damaged === 0 || results > 0) await sink.end(new SummaryFold().summary(0));
    else if (isStandardOutput(options.output)) await output.end();
    else output.destroy();
  }
}

async function createSink(
  {
    format,
    output: file,
    color,
    quiet,
  }: Omit<ReportCommandOptions, 'format'> & { readonly format: ReportFormat },
  output: LineOutput,
  process: NodeJS.Process,
): Promise<Sink> {
  if (format === 'jsonl') return jsonlSink(output);
  if (format === 'csv') return csvSink(output);
  if (format === 'sed') return sedReport(output);
  if (format !== 'text') return reportSink(format, output, tmpdir());
  const isTerminal = (file === undefined || file === '-') && isatty(process.stdout.fd);
  return textReport(output, { paint: await createPaint(color, isTerminal, process.env), quiet });
}

/** Whether one of the files may be read by its owner only: a copy of its records must not be open to others. */
async function hasPrivateFile(files: readonly string[]): Promise<boolean> {
  const named = files.filter((file) => file !== '-');
  const modes = await Promise.all(named.map(async (file) => (await stat(file)).mode));
  return modes.some((mode) => (mode & 0o077) === 0);
}

function toFiles(names: readonly string[], isTerminal: boolean): readonly string[] {
  if (names.length > 0) return names;
  if (!isTerminal) return ['-'];
  throw new UsageError(
    'no results to read: name a file, as in "fanout report results.jsonl", or pipe them in, ' +
      'as in "fanout fetch urls.txt --json | fanout report"',
  );
}
