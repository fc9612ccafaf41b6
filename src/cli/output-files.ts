import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Input } from '../input/input.ts';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { LineWriter, openOutputFile, openStandardOutput } from '../output/line-writer.ts';

interface OutputHooks {
  /** Drops what is not yet written, and closes the output. */
  readonly signal?: AbortSignal;
  /** Called right before and after each write. */
  readonly beforeWrite?: () => void;
  readonly afterWrite?: () => void;
}

/** Creates the output of `--output`: a file, or standard output if there is none or it is `-`. Throws an `OutputError`. */
export async function createOutput(
  file: string | undefined,
  process: NodeJS.Process,
  hooks: OutputHooks = {},
): Promise<LineWriter> {
  if (file === undefined || file === '-') {
    const stream = openStandardOutput(process.stdout.fd, process.stdout);
    return new LineWriter(stream, { ...hooks, name: 'standard output', keepOpen: true });
  }
  return new LineWriter(await openOutputFile(file), { ...hooks, name: file });
}

/** Paths of files that will be written, by the flag that names each. */
type OutputFiles = Readonly<Record<string, string | undefined>>;

/** Returns the files that a run writes. */
export function outputFiles(options: ProgramOptions): OutputFiles {
  const reports = options.report?.map(({ kind, file }) => [`--report ${kind}=${file}`, file]) ?? [];
  return {
    '--output': options.output,
    '--failed': options.failed,
    '--journal': options.journal,
    '--baseline': options.baseline,
    '--flaky-state': options.flakyState,
    ...Object.fromEntries(reports),
  };
}

/** Throws a `UsageError` if an output is an input or another output, because opening it would empty that file. */
export async function checkOutputs(inputs: readonly Input[], outputs: OutputFiles): Promise<void> {
  const taken = new Map<string, string>();
  for (const input of inputs) {
    const key = input.kind === 'file' ? await fileKey(input.path) : undefined;
    if (key !== undefined) taken.set(key, 'it is one of the inputs');
  }
  for (const [flag, path] of Object.entries(outputs)) {
    if (path === undefined || path === '-') continue;
    const key = await fileKey(path);
    if (key === undefined) continue;
    const use = taken.get(key);
    if (use !== undefined) {
      throw new UsageError(`Cannot use "${printable(path)}" for ${flag}: ${use}; it must be another file`);
    }
    taken.set(key, `it is the file of ${flag}`);
  }
}

/** Returns a key that all names of one file share, even if it does not exist yet; `undefined` for a pipe, terminal or device. */
async function fileKey(path: string): Promise<string | undefined> {
  try {
    const status = await stat(path);
    return status.isFile() ? `${status.dev}:${status.ino}` : undefined;
  } catch {
    return resolve(path); // any other problem is reported when the file is opened
  }
}
