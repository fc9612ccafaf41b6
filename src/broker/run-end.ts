/** What the sender knows when it has sent the whole list. */
export interface RunEnd {
  readonly chunks: number;
  /** Jobs that were read, and those of them that were left out on purpose. */
  readonly read: number;
  readonly skipped: number;
}

/** How far the collector has come. */
export interface CollectorProgress {
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
  /** Records of chunks that were finished already. */
  readonly duplicates: number;
  readonly urlsPerSecond: number;
  /** The lowest chunk that is not finished. */
  readonly oldest: number;
  /** The last record of the log that was taken. */
  readonly sequence: number;
}

export const END_KEY = 'end';
export const PROGRESS_KEY = 'progress';
export const COMPLETE_KEY = 'complete';
export const COLLECTOR_KEY = 'collector';
export const INPUTS_KEY = 'inputs';
export const RECONCILED_KEY = 'reconciled';
export const FED_KEY = 'fed';
export const STOP_KEY = 'stop';

/** The end of a run as it was read from the broker, or `undefined` when it is none. */
export function endFrom(value: unknown): RunEnd | undefined {
  return counts(value, ['chunks', 'read', 'skipped']) ? (value as RunEnd) : undefined; // every key was checked
}

/** The progress of a run as it was read from the broker, or `undefined` when it is none. */
export function progressFrom(value: unknown): CollectorProgress | undefined {
  const keys = ['chunks', 'ok', 'failed', 'duplicates', 'urlsPerSecond', 'oldest', 'sequence'];
  return counts(value, keys) ? (value as CollectorProgress) : undefined; // every key was checked
}

function counts(value: unknown, keys: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return keys.every((key) => {
    const number = fields[key];
    return typeof number === 'number' && Number.isFinite(number) && number >= 0;
  });
}
