import { isatty } from 'node:tty';
import { LineWriter } from '../sinks/line-writer.ts';
import { openOutputFile, openStandardOutput } from '../sinks/output-stream.ts';

/** The file of `--output`, or standard output if there is none or it is `-`. Throws an `OutputError`. */
export async function openOutput(file: string | undefined, process: NodeJS.Process): Promise<LineWriter> {
  if (file !== undefined && file !== '-') return new LineWriter(await openOutputFile(file), { name: file });
  const stream = isatty(1) ? process.stdout : openStandardOutput(1, process.stdout);
  return new LineWriter(stream, { name: 'standard output', keepOpen: true });
}
