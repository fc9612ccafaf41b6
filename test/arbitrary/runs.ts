/** How often a property is tried: `count` times in the suite, and `FUZZ` times as often by hand. */
export function runs(count: number): { readonly numRuns: number } {
  return { numRuns: count * Number(process.env.FUZZ ?? 1) };
}
