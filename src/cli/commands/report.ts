import { tmpdir } from 'node:os';
import { isatty } from 'node:tty';
import { flagLayer, resolveOptions } from '../../config/option-sources.ts';
import { type ReportCommandOptions, reportCommandOptions } from '../../config/report-command-options.ts';
import { classifyInput } from '../../input/input.ts';
import { UsageError } from '../../model/errors.ts';
import { SummaryFold } from '../../model/summary.ts';
import { jsonlSink } from '../../output/jsonl.ts';
import type { LineOutput } from '../../output/line-writer.ts';
import { reportSink, textReport } from '../../output/reports/report-sink.ts';
import type { Sink } from '../../results/sink.ts';
import { paintFor } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkOutputs, openOutput } from '../output-files.ts';
import { checkRecordFiles, forEachRecord } from '../record-files.ts';

export interface ReportArguments {
  readonly names: readonly string[];
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/**
 * `fanout report`: resolves to the exit code, which tells whether the report could be made of all lines, not what is
 * in it. Throws the errors of `model/errors.ts`.
 */
export async function reportCommand({ names, flags, process }: ReportArguments): Promise<number> {
  const options = resolveOptions(reportCommandOptions, [flagLayer(reportCommandOptions, flags, {})]).values;
  const files = filesOf(names, isatty(0));
  await checkRecordFiles(files);
  await checkOutputs(files.map(classifyInput), { '--output': options.output });
  const output = await openOutput(options.output, process);
  const gone = new AbortController();
  output.closed.then(() => gone.abort());
  const sink = await sinkFor(options, output, process);
  const reading = {
    stdin: process.stdin,
    shards: options.shards,
    signal: gone.signal,
    warn: (text: string) => void process.stderr.write(`fanout: ${text}\n`),
  };
  try {
    const damaged = await forEachRecord(files, reading, (result) => sink.write(result));
    return damaged > 0 && !gone.signal.aborted ? EXIT.usage : EXIT.ok;
  } finally {
    await sink.end(new SummaryFold().summary(0));
  }
}

async function sinkFor(
  { format, output: file, color, quiet }: ReportCommandOptions,
  output: LineOutput,
  process: NodeJS.Process,
): Promise<Sink> {
  if (format === 'jsonl') return jsonlSink(output);
  if (format !== 'text') return reportSink(format, output, tmpdir());
  const isTerminal = (file === undefined || file === '-') && isatty(1);
  return textReport(output, { paint: await paintFor(color, isTerminal, process.env), quiet });
}

function filesOf(names: readonly string[], isTerminal: boolean): readonly string[] {
  if (names.length > 0) return names;
  if (!isTerminal) return ['-'];
  throw new UsageError(
    'Cannot read results from a terminal: name a file, as in "fanout report results.jsonl", or pipe them in, ' +
      'as in "fanout fetch urls.txt --json | fanout report"',
  );
}
