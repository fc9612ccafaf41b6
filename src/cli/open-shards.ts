import { stat } from 'node:fs/promises';
import type { ProgramOptions } from '../config/program-options.ts';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { ShardReader } from '../shards/shard-reader.ts';
import { ShardWriter } from '../shards/shard-writer.ts';
import { workerName } from './worker-name.ts';

/** Throws a `UsageError` for bodies in records that would have to go through the broker. */
export function checkInlineBody({ inlineBody, shards }: ProgramOptions): void {
  if (inlineBody === undefined || shards !== undefined) return;
  throw new UsageError(
    'Cannot use --inline-body with a broker, whose messages are too small: give --shards DIR, too, and the records go there; or save bodies with --save-dir DIR',
  );
}

/** The files that this worker writes results into, if `--shards` says so. Throws an `OutputError` when there can be none. */
export async function openShards(
  { shards }: ProgramOptions,
  process: NodeJS.Process,
): Promise<ShardWriter | undefined> {
  return shards === undefined ? undefined : ShardWriter.open(shards, workerName(process.pid));
}

/** Where results are read that workers, perhaps later ones, write into files. Throws a `UsageError` when it is no directory. */
export async function findShards(directory: string | undefined): Promise<ShardReader | undefined> {
  if (directory === undefined) return undefined;
  const found = await stat(directory).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return new ShardReader(directory);
  throw new UsageError(
    `Cannot use "${printable(directory, 200)}" for --shards: it must be the directory that the workers write to`,
  );
}
