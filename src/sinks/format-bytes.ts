const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'];

/** A number of bytes for people, in SI units: `34B`, `1.2kB`, `340kB`, `5.1MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes}B`;
  let scaled = bytes / 1000;
  let unit = 0;
  // 999.5 of a unit would be shown as 1000 of it.
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return oneDecimal(scaled) + UNITS[unit];
}

/** Whole arithmetic, because `toFixed` costs as much as all the rest of a line. */
function oneDecimal(scaled: number): string {
  const tenths = Math.round(scaled * 10);
  if (tenths >= 1000) return String(Math.round(scaled));
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}
