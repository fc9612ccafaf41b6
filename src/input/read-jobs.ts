import type { Readable } from 'node:stream';
import type { Job } from '../model/job.ts';
import type { Input } from './input.ts';
import { JobMaker, type JobOptions, type Tally } from './job-maker.ts';
import { LineSplitter } from './line-splitter.ts';
import { openFile } from './open-file.ts';
import { readChunks } from './read-chunks.ts';

export interface ReadOptions extends JobOptions {
  /** What `-` reads. It is destroyed when it has been read, or is read no more. */
  readonly stdin: Readable;
}

type Batches = AsyncGenerator<Iterable<Job>, void, undefined>;
type FileInput = Exclude<Input, { readonly kind: 'url' }>;

/**
 * Reads inputs in order as batches of jobs, one batch for each chunk of at most 64 KiB.
 * - A batch can be iterated once, and before the next one is asked for: its lines are parsed as its jobs are asked for.
 * - Reading is never more than one chunk ahead.
 * - Throws an `InputError` for an input that cannot be opened, read or unpacked. A bad line is a job with `invalid`.
 */
export async function* readJobs(inputs: readonly Input[], options: ReadOptions, tally: Tally): Batches {
  const maker = new JobMaker(options, tally);
  let argument = 0;
  for (const input of inputs) {
    if (options.signal?.aborted) return;
    if (input.kind === 'url') yield maker.jobs([input.url], 'arguments', ++argument);
    else yield* readFile(input, maker, options);
  }
}

async function* readFile(input: FileInput, maker: JobMaker, { stdin, signal }: ReadOptions): Batches {
  const name = input.kind === 'file' ? input.path : '-';
  const source = input.kind === 'file' ? await openFile(input.path, signal) : stdin;
  const splitter = new LineSplitter();
  let number = 1;
  for await (const chunk of readChunks(source, name, signal)) {
    const lines = splitter.push(chunk);
    if (lines.length > 0) yield maker.jobs(lines, name, number);
    number += lines.length;
  }
  const last = splitter.end();
  // After an abort the end of the line may be missing.
  if (last.length > 0 && !signal?.aborted) yield maker.jobs(last, name, number);
}
