/** The settings of a whole run on all machines: written once, by the process that creates the run, and read by all. */
export interface RunSettings {
  /** URLs in a chunk, the unit of work. */
  readonly chunk: number;
  /** With more than one, each host belongs to one partition, and only one chunk of a partition is in flight at a time. */
  readonly partitions: number;
  /** A chunk is redelivered when its worker has not extended the lease for this time. */
  readonly ackWaitMs: number;
  /** Chunks that wait in the broker at most. */
  readonly maxQueued: number;
  /** Chunks whose results wait for the collector at most. */
  readonly maxLog: number;
  /** Copies of each message in a cluster of brokers. */
  readonly replicas: number;
}

/** The smallest and the largest value of each setting. */
const BOUNDS: Readonly<Record<keyof RunSettings, readonly [number, number]>> = {
  chunk: [1, 10_000],
  partitions: [1, 1024],
  ackWaitMs: [1000, 3_600_000],
  maxQueued: [1, 10_000_000],
  maxLog: [1, 10_000_000],
  replicas: [1, 5],
};

/** Settings as read from the broker; `undefined` if they are not valid. */
export function settingsFrom(value: unknown): RunSettings | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const isValid = Object.entries(BOUNDS).every(([key, [min, max]]) => {
    const number = fields[key];
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max;
  });
  // Every key was checked just above, which the compiler cannot follow.
  return isValid ? (fields as unknown as RunSettings) : undefined;
}

/** The names of the settings in which the second differs from the first. */
export function differences(
  first: RunSettings,
  second: Partial<RunSettings>,
): readonly (keyof RunSettings)[] {
  // The keys of a record that has each setting once.
  const keys = Object.keys(BOUNDS) as (keyof RunSettings)[];
  return keys.filter((key) => second[key] !== undefined && second[key] !== first[key]);
}
