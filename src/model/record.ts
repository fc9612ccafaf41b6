import type { Result } from './result.ts';

/** The version of the record format, its first key. */
export const RECORD_VERSION = 1;

/** The result record as one JSON line without its newline. Keys without a value are left out. */
export function encodeRecord(result: Result): string {
  return JSON.stringify({
    v: RECORD_VERSION,
    index: result.index,
    source: result.source,
    line: result.line,
    id: result.id,
    url: result.url,
    finalUrl: result.finalUrl,
    method: result.method,
    ok: result.ok,
    status: result.status,
    attempts: result.attempts,
    redirects: result.redirects,
    bytes: result.bytes,
    truncated: result.truncated,
    contentType: result.contentType,
    startedAt: new Date(result.startedAt).toISOString(),
    durationMs: tenths(result.durationMs),
    ttfbMs: result.ttfbMs === undefined ? undefined : tenths(result.ttfbMs),
    body: result.body,
    failure: result.failure,
    warning: result.warning,
    baseline: result.baseline,
    badRuns: result.badRuns,
  });
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
