import { gzipSync } from 'node:zlib';
import type { Job } from '../model/job.ts';
import { hostPartition } from './host-partition.ts';
import { encodeJob, type JobWire } from './job-line.ts';
import type { EncodedChunk } from './queue-engine.ts';

/** A chunk with larger jobs than usual ends here: a message must stay below 1 MiB. */
const MAX_CHARACTERS = 256 * 1024;

export interface ChunkerParts {
  /** URLs in a chunk. */
  readonly size: number;
  readonly partitions: number;
  readonly wire: JobWire;
  /** The largest message that the broker takes. */
  readonly maxBytes: number;
}

/** Lines that wait until there are enough of them. */
interface Pending {
  lines: string[];
  characters: number;
}

/** A chunk whose body is made on demand: of chunks that were sent before, none is needed. */
export interface LazyChunk {
  readonly id: number;
  encode(): EncodedChunk;
}

/**
 * Cuts a list of jobs into chunks, numbered from 0. The chunks depend on the list, the size and the partitions alone: the
 * same list gives the same chunks with the same numbers, on any machine.
 */
export class Chunker {
  readonly #parts: ChunkerParts;
  readonly #pending: Pending[];
  #next = 0;

  constructor(parts: ChunkerParts) {
    this.#parts = parts;
    this.#pending = Array.from({ length: parts.partitions }, () => ({ lines: [], characters: 0 }));
  }

  /** Chunks that were given out. */
  get count(): number {
    return this.#next;
  }

  /** The chunk that this job has made full, or `undefined`. */
  add(job: Job): LazyChunk | undefined {
    const { wire, size, partitions, maxBytes } = this.#parts;
    const partition = hostPartition(job.url, partitions);
    const pending = this.#pending[partition];
    if (pending === undefined) throw new RangeError(`There is no partition ${partition}`);
    const line = fitting(encodeJob(job, wire), job, this.#parts, maxBytes);
    pending.lines.push(line);
    pending.characters += line.length;
    const isFull = pending.lines.length >= size || pending.characters >= MAX_CHARACTERS;
    return isFull ? this.#take(partition, pending) : undefined;
  }

  /** What is left after the last job. */
  *end(): Generator<LazyChunk, void, void> {
    for (const [partition, pending] of this.#pending.entries()) {
      if (pending.lines.length > 0) yield this.#take(partition, pending);
    }
  }

  #take(partition: number, pending: Pending): LazyChunk {
    const { lines } = pending;
    const id = this.#next++;
    pending.lines = [];
    pending.characters = 0;
    const count = lines.length;
    return { id, encode: () => ({ id, partition, count, body: gzipSync(lines.join('\n'), { level: 1 }) }) };
  }
}

/** Instead of a job that no message can carry, one that says so. */
function fitting(line: string, job: Job, { wire }: ChunkerParts, maxBytes: number): string {
  // A chunk has up to 256 Ki characters before its last job.
  if (line.length <= MAX_CHARACTERS || Buffer.byteLength(line) <= maxBytes / 2) return line;
  const { index, source, line: number, url, id } = job;
  const invalid = `Cannot send a job of ${line.length} characters through the broker: it must be half a message at most`;
  return encodeJob({ index, source, line: number, url, invalid, ...(id === undefined ? {} : { id }) }, wire);
}
