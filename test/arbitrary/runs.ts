/** Number of runs of a property: `count`, or `FUZZ` times as many if that variable is set. */
export function runs(count: number): { readonly numRuns: number } {
  return { numRuns: count * Number(process.env.FUZZ ?? 1) };
}
