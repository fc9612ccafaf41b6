import type { FailureKind } from '../../src/model/failure.ts';
import type { FailedResult, OkResult } from '../../src/model/result.ts';

const base = {
  index: 0,
  source: 'urls.txt',
  line: 1,
  url: 'https://example.com/1',
  method: 'GET',
  attempts: 1,
  redirects: [],
  bytes: 1234,
  truncated: false,
  startedAt: Date.UTC(2026, 0, 1),
  durationMs: 34,
  totalMs: 34,
} as const;

export function okResult(changes: Partial<OkResult> = {}): OkResult {
  return { ...base, status: 200, ...changes, ok: true };
}

export function failedResult(kind: FailureKind, changes: Partial<FailedResult> = {}): FailedResult {
  return { ...base, bytes: 0, failure: { kind, message: `a ${kind} failure` }, ...changes, ok: false };
}
