/** Told where results lie in the file of a store, in bytes. */
export interface StoreWatcher {
  /** Results with ascending indexes, of which this is the first. */
  added(first: number, start: number, end: number): void;
  /** What stands before this place can be read from the file. */
  written(end: number): void;
}
