/** A duration for people: `0.4ms`, `12ms`, `1.24s`, `12.4s`, `2m05s`, `1h02m`. */
export function formatDuration(ms: number): string {
  if (ms < 0.95) return ms >= 0.05 ? `0.${Math.round(ms * 10)}ms` : '0ms';
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 9_995) {
    const hundredths = Math.round(ms / 10);
    return `${Math.floor(hundredths / 100)}.${twoDigits(hundredths % 100)}s`;
  }
  if (ms < 59_950) {
    const tenths = Math.round(ms / 100);
    return `${Math.floor(tenths / 10)}.${tenths % 10}s`;
  }
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${twoDigits(seconds % 60)}s`;
  const minutes = Math.round(ms / 60_000);
  return `${Math.floor(minutes / 60)}h${twoDigits(minutes % 60)}m`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
