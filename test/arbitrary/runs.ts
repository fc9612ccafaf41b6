interface Runs {
  readonly numRuns: number;
  readonly seed?: number;
}

/**
 * How a property is tested: `count` times from a fixed seed, so that a test which has passed passes again. With the variable
 * `FUZZ`, that many times as often and from a random seed, to search for new faults.
 */
export function runs(count: number): Runs {
  const { FUZZ } = process.env;
  return FUZZ === undefined ? { numRuns: count, seed: 1 } : { numRuns: count * Number(FUZZ) };
}
