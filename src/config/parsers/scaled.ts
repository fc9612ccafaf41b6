/** A decimal number and its unit, in lower case: `1.5s` is `{ amount: 1.5, unit: 's' }`. */
export function scaled(text: string): { readonly amount: number; readonly unit: string } | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text) ?? [];
  return digits === undefined || unit === undefined
    ? undefined
    : { amount: Number(digits), unit: unit.toLowerCase() };
}

/** Writes `value` in the largest unit that leaves a whole number. Units go from the smallest to the largest. */
export function inLargestUnit(value: number, units: ReadonlyMap<string, number>): string {
  let text = String(value);
  for (const [unit, factor] of units) {
    if (value % factor === 0 && (value >= factor || factor === 1)) text = `${value / factor}${unit}`;
  }
  return text;
}
