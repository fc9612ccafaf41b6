import { OutputError } from '../model/errors.ts';
import { type Frame, placeOf } from '../model/frame.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import type { FrameFault, ShardReader } from '../shards/shard-reader.ts';
import { pause } from './persist.ts';

/** A file system of several machines may show late what one of them has written. */
const PAUSES_MS: readonly number[] = [200, 400, 800, 1600];

/** So many frames of a shard that cannot be read are named. */
const NAMED = 3;

export interface FrameSourceParts {
  readonly shards: Pick<ShardReader, 'directory' | 'read' | 'hasAny'>;
  readonly warn: (text: string) => void;
  /** How long what is not there is waited for, between one try and the next. */
  readonly pausesMs?: readonly number[];
  /** Ends the waiting for what is not there yet. */
  readonly signal: AbortSignal;
}

/** Frames as the collector reads them: it waits for what is late, and tells what is lost. */
export class FrameSource {
  readonly #parts: FrameSourceParts;
  /** Frames that could not be read, by their shard. */
  readonly #lost = new Map<string, number>();

  constructor(parts: FrameSourceParts) {
    this.#parts = parts;
  }

  /**
   * The results of a frame that is new; `undefined` when it is damaged, or lost with its shard: then its chunk is to be sent
   * again. Throws an `OutputError` when the directory itself seems to be the wrong one, or cannot be read.
   */
  async first(frame: Frame): Promise<readonly Result[] | undefined> {
    const { shards, signal, pausesMs = PAUSES_MS } = this.#parts;
    let found = await shards.read(frame);
    for (const ms of this.#lost.has(frame.shard) ? [] : pausesMs) {
      if (!('fault' in found) || found.kind === 'damaged' || signal.aborted) break;
      await pause(ms, signal);
      found = await shards.read(frame);
    }
    if (!('fault' in found)) {
      this.#lost.delete(frame.shard);
      return found;
    }
    if (signal.aborted) return undefined;
    if (found.kind === 'unreadable') throw unreadable(frame, found);
    if (found.kind === 'missing' && !(await shards.hasAny())) {
      throw new OutputError(
        `Cannot read ${placeOf(frame)}: there is no shard at all in "${printable(shards.directory, 200)}"; give --shards the directory that the workers write to`,
      );
    }
    this.#tell(frame, found);
    return undefined;
  }

  /** The results of a frame that was read before. Throws an `OutputError` when that is not possible any more. */
  async again(frame: Frame): Promise<readonly Result[]> {
    const found = await this.#parts.shards.read(frame);
    if ('fault' in found) throw unreadable(frame, found);
    return found;
  }

  #tell(frame: Frame, { fault }: FrameFault): void {
    const { warn } = this.#parts;
    const count = (this.#lost.get(frame.shard) ?? 0) + 1;
    this.#lost.set(frame.shard, count);
    const hint = '"fanout feed --reconcile" sends it again';
    if (count <= NAMED) warn(`${placeOf(frame)} cannot be read, ${fault}: its chunk is not done; ${hint}`);
    else if (count === NAMED + 1) {
      warn(`more chunks of ${frame.shard} cannot be read, and are not named one by one`);
    }
  }
}

function unreadable(frame: Frame, { fault }: FrameFault): OutputError {
  return new OutputError(
    `Cannot read ${placeOf(frame)}: ${fault}; start again when it can be read, or without --shards, which counts results and does not read them`,
  );
}
