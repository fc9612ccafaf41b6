import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import type { Input } from '../input/input.ts';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { LineWriter, openOutputFile, openStandardOutput } from '../output/line-writer.ts';

/** The file of `--output`, or standard output if there is none or it is `-`. Throws an `OutputError`. */
export async function openOutput(file: string | undefined, process: NodeJS.Process): Promise<LineWriter> {
  if (file !== undefined && file !== '-') return new LineWriter(await openOutputFile(file), { name: file });
  const stream = isatty(1) ? process.stdout : openStandardOutput(1, process.stdout);
  return new LineWriter(stream, { name: 'standard output', keepOpen: true });
}

/** Files that are to be written, by the flag that names them. */
type OutputFiles = Readonly<Record<string, string | undefined>>;

/** Throws a `UsageError` when an output is an input or another output: opening it would empty the other one. */
export async function checkOutputs(inputs: readonly Input[], outputs: OutputFiles): Promise<void> {
  const taken = new Map<string, string>();
  for (const input of inputs) {
    const identity = input.kind === 'file' ? await identityOf(input.path) : undefined;
    if (identity !== undefined) taken.set(identity, 'it is one of the inputs');
  }
  for (const [flag, path] of Object.entries(outputs)) {
    if (path === undefined || path === '-') continue;
    const identity = await identityOf(path);
    if (identity === undefined) continue;
    const use = taken.get(identity);
    if (use !== undefined) {
      throw new UsageError(`Cannot use "${printable(path)}" for ${flag}: ${use}; it must be another file`);
    }
    taken.set(identity, `it is the file of ${flag}`);
  }
}

/** The same for all names of one file, also of one that does not exist yet; `undefined` of a pipe, terminal or device. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? `${found.dev}:${found.ino}` : undefined;
  } catch {
    return resolve(path); // if there is more wrong with it, opening it says what
  }
}
