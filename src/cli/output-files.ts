import { constants, fstatSync, type Stats } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Input } from '../input/input.ts';
import { toOutputError, UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { LineWriter } from '../output/line-writer.ts';
import {
  flushSchedule,
  missingTarget,
  openOutputFile,
  openStandardOutput,
  statIfExists,
} from '../output/output-file.ts';

interface OutputHooks {
  /** Drops what is not yet written, and closes the output. */
  readonly signal?: AbortSignal;
  /** Called right before and after each write. */
  readonly beforeWrite?: () => void;
  readonly afterWrite?: () => void;
  /** Whether a file that is created may be read by its owner only. */
  readonly isPrivate?: boolean;
}

/** Names of standard output. As files they would be emptied, or could not be opened if they are sockets. */
const STANDARD_OUTPUT = new Set<string | undefined>([undefined, '-', '/dev/stdout', '/dev/fd/1']);

/** Whether this value of `--output` is standard output. */
export function isStandardOutput(file: string | undefined): boolean {
  return STANDARD_OUTPUT.has(file);
}

/** Creates the output for a file, or for standard output if there is none or it is `-`. Throws an `OutputError`. */
export async function createOutput(
  file: string | undefined,
  process: NodeJS.Process,
  hooks: OutputHooks = {},
): Promise<LineWriter> {
  if (file === undefined || isStandardOutput(file)) {
    const stream = openStandardOutput(process.stdout.fd, process.stdout);
    return new LineWriter(stream, { ...hooks, name: 'standard output', keepOpen: true });
  }
  const { isPrivate, ...rest } = hooks;
  const stream = await openOutputFile(file, { isPrivate, flush: true });
  return new LineWriter(stream, { ...rest, ...flushSchedule(file), name: file });
}

/** Paths of files, by the flag that names each. */
type FilesByFlag = Readonly<Record<string, string | undefined>>;

/** Returns the files that a run writes. */
export function outputFiles(options: ProgramOptions): FilesByFlag {
  const reports = options.report?.map(({ kind, file }) => [`--report ${kind}=${file}`, file]) ?? [];
  return {
    '--output': options.output,
    '--failed': options.failed,
    '--journal': options.journal,
    '--cookies': options.cookies || undefined,
    '--baseline': options.updateBaseline ? options.baseline : undefined,
    '--flaky-state': options.flakyState,
    '--checksums': options.checksums,
    '--manifest': options.manifest,
    ...Object.fromEntries(reports),
  };
}

/** Returns the files that a run reads, other than its inputs. */
export function readFiles({
  baseline,
  updateBaseline,
  config,
  data,
  jsonBody,
  cacert,
  cert,
  key,
  excludeFile,
  netrc,
  refresh,
}: ProgramOptions): FilesByFlag {
  return {
    '--baseline': updateBaseline ? undefined : baseline,
    '--config': config,
    '--data': data?.startsWith('@') ? data.slice(1) : undefined,
    '--json-body': jsonBody?.startsWith('@') ? jsonBody.slice(1) : undefined,
    '--cacert': cacert,
    '--cert': cert,
    '--key': key,
    '--exclude-file': excludeFile,
    '--netrc': typeof netrc === 'string' ? netrc : undefined,
    '--refresh': typeof refresh === 'string' ? refresh : undefined,
  };
}

/** Files and streams that must not be outputs, beside the inputs. */
interface Reading {
  readonly process?: { readonly stdin: object; readonly stdout: object };
  readonly files?: FilesByFlag;
  /** A directory that is created before the outputs are opened. */
  readonly saveDir?: string | undefined;
}

/**
 * Checks all outputs before one of them is opened, which would empty its file.
 * Throws a `UsageError` if an output is an input or another output, also one on standard input or output, and an
 * `OutputError` if it cannot be written.
 */
export async function checkOutputs(
  inputs: readonly Input[],
  outputs: FilesByFlag,
  { process, files = {}, saveDir }: Reading = {},
): Promise<void> {
  const taken = new Map<string, string>();
  const take = (key: string | undefined, use: string) => {
    if (key !== undefined) taken.set(key, use);
  };
  for (const input of inputs) {
    if (input.kind === 'file') take(await fileKey(input.path), 'it is an input file');
  }
  for (const [flag, path] of Object.entries(files)) {
    if (path !== undefined) take(await fileKey(path), `it is read for ${flag}`);
  }
  take(streamKey(process?.stdin), 'it is the file on standard input');
  if ('--output' in outputs && isStandardOutput(outputs['--output'])) {
    const key = streamKey(process?.stdout);
    const use = key && taken.get(key);
    if (use !== undefined) {
      throw new UsageError(`cannot write the results to standard output: ${use}; write them to another file`);
    }
    take(key, 'standard output goes there');
    take('-', 'the results go to standard output');
  }
  for (const [name, path] of Object.entries(outputs)) {
    const [flag = ''] = name.split('='); // without the file of --report
    if (path === undefined || (flag === '--output' && isStandardOutput(path))) continue;
    const key = isStandardOutput(path) ? '-' : await fileKey(path);
    const use = key && taken.get(key);
    if (use !== undefined) {
      throw new UsageError(`invalid value "${excerpt(path)}" for ${flag}: ${use}; name another file`);
    }
    take(key, `it is the file of ${name}`);
    const isInside = saveDir !== undefined && resolve(dirname(path)) === resolve(saveDir);
    if (key !== '-' && !(isInside && (await statIfExists(saveDir)) === undefined)) await checkWritable(path);
  }
}

/** Returns a key that all names of one file share, even if it does not exist yet; `undefined` for a pipe, terminal or device. */
async function fileKey(path: string): Promise<string | undefined> {
  try {
    const status = await statIfExists(path);
    if (status !== undefined) return statusKey(status);
    const missing = await missingTarget(path);
    return join(await realpath(dirname(missing)), basename(missing));
  } catch {
    return resolve(path); // the reason is reported where the file is read or written
  }
}

function streamKey(stream: object | undefined): string | undefined {
  if (stream === undefined || !('fd' in stream) || typeof stream.fd !== 'number') return undefined;
  try {
    return statusKey(fstatSync(stream.fd));
  } catch {
    return undefined; // it is closed
  }
}

function statusKey(status: Stats): string | undefined {
  return status.isFile() ? `${status.dev}:${status.ino}` : undefined;
}

/** Throws an `OutputError` if a file cannot be written or created. Opens nothing. */
async function checkWritable(path: string): Promise<void> {
  try {
    const status = await statIfExists(path);
    if (status?.isDirectory()) throw new Error('it is a directory');
    if (status?.isSocket()) throw new Error('it is a socket');
    if (status !== undefined) return await access(path, constants.W_OK);
    await access(dirname(await missingTarget(path)), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toOutputError(path, error);
  }
}
