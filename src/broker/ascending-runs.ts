import type { Frame } from '../model/frame.ts';
import type { Result } from '../model/result.ts';
import { hostPartition } from './host-partition.ts';
import type { StoreWatcher } from './store-watcher.ts';

/**
 * Finds the runs of a file that is read again, in which nothing tells where a chunk ends. With one partition a run is results
 * without a gap; with more it is results of one partition, of which one chunk is under way at a time.
 */
export class AscendingRuns {
  readonly #watcher: StoreWatcher;
  readonly #partitions: number;
  #first = 0;
  #last = -1;
  #partition = 0;
  #start = 0;
  #end = 0;

  constructor(watcher: StoreWatcher, partitions: number) {
    this.#watcher = watcher;
    this.#partitions = partitions;
  }

  /** Takes the next line of the file, which is so long there: a result, or the place of those of a chunk. */
  take(entry: Result | Frame, bytes: number): void {
    if ('index' in entry) this.#takeResult(entry, bytes);
    else this.#takeFrame(entry, bytes);
  }

  #takeFrame({ first }: Frame, bytes: number): void {
    this.close();
    this.#first = first;
    this.#end += bytes;
    this.close();
  }

  #takeResult({ index, url }: Result, bytes: number): void {
    const partition = hostPartition(url, this.#partitions);
    const goesOn = this.#partitions === 1 ? index === this.#last + 1 : index > this.#last;
    if (!goesOn || partition !== this.#partition || this.#start === this.#end) {
      this.close();
      this.#first = index;
      this.#partition = partition;
    }
    this.#last = index;
    this.#end += bytes;
  }

  /** Tells of the last run. */
  close(): void {
    if (this.#end > this.#start) this.#watcher.added(this.#first, this.#start, this.#end);
    this.#start = this.#end;
  }
}
