/** What holds for a whole run, over all machines: written once, by whoever is first, and read by all. */
export interface RunSettings {
  /** URLs in a chunk, the unit of work. */
  readonly chunk: number;
  /** With more than one, a host belongs to one partition, and one chunk of a partition is under way at a time. */
  readonly partitions: number;
  /** A chunk whose worker is silent for so long is given to another one. */
  readonly ackWaitMs: number;
  /** Chunks that wait in the broker at most. */
  readonly maxQueued: number;
  /** Results of so many chunks wait for the collector at most. */
  readonly maxLog: number;
  /** Copies of each message in a cluster of brokers. */
  readonly replicas: number;
}

/** Bounds of each setting, both included. */
const BOUNDS: Readonly<Record<keyof RunSettings, readonly [number, number]>> = {
  chunk: [1, 10_000],
  partitions: [1, 1024],
  ackWaitMs: [1000, 3_600_000],
  maxQueued: [1, 10_000_000],
  maxLog: [1, 10_000_000],
  replicas: [1, 5],
};

/** Settings as they were read from the broker, or `undefined` when they are none. */
export function settingsFrom(value: unknown): RunSettings | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const isRight = Object.entries(BOUNDS).every(([key, [min, max]]) => {
    const number = fields[key];
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max;
  });
  // Every key was checked just above, which the compiler cannot follow.
  return isRight ? (fields as unknown as RunSettings) : undefined;
}

/** The names of the settings in which two differ. */
export function differences(
  first: RunSettings,
  second: Partial<RunSettings>,
): readonly (keyof RunSettings)[] {
  // The keys of a record that has each setting once.
  const keys = Object.keys(BOUNDS) as (keyof RunSettings)[];
  return keys.filter((key) => second[key] !== undefined && second[key] !== first[key]);
}
