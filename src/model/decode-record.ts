import { FAILURE_KINDS, type Failure, type FailureKind } from './failure.ts';
import { RECORD_VERSION } from './record.ts';
import type { Result } from './result.ts';

/** A record as it was parsed: nothing is known of it yet. */
type Fields = Readonly<Record<string, unknown>>;

const KINDS: ReadonlySet<unknown> = new Set<FailureKind>(FAILURE_KINDS);
const BASELINE: ReadonlySet<unknown> = new Set(['new', 'known', 'mended']);

/**
 * The result that a line of JSONL holds, or the reason why it is none. Keys that are not known are passed over: newer
 * versions may write more of them.
 */
export function decodeRecord(line: string): Result | { readonly broken: string } {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return { broken: 'it is not JSON' };
  }
  if (!isFields(record)) return { broken: 'it is no JSON object' };
  if (record.v !== RECORD_VERSION) return { broken: `its "v" is not ${RECORD_VERSION}` };
  const wrong = KEYS.find(([key, isRight]) => !isRight(record[key]));
  if (wrong !== undefined) return { broken: `its "${wrong[0]}" is missing or wrong` };
  if (record.ok === false && record.failure === undefined) return { broken: 'it failed without a "failure"' };
  // Each key has been checked just above. Assigned, since a spread of so many keys takes as long as to parse them.
  return Object.assign(record, { startedAt: Date.parse(String(record.startedAt)) }) as unknown as Result;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isStatus = (value: unknown): boolean => isCount(value) && Number(value) <= 999;
const isMs = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0;
const isFlag = (value: unknown): boolean => typeof value === 'boolean';

function optional(isRight: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || isRight(value);
}

const SHAPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  index: isCount,
  source: isText,
  line: isCount,
  id: optional(isText),
  url: isText,
  finalUrl: optional(isText),
  method: isText,
  ok: isFlag,
  status: optional(isStatus),
  attempts: isCount,
  redirects: (value) => Array.isArray(value) && value.every(isRedirect),
  bytes: isCount,
  truncated: isFlag,
  contentType: optional(isText),
  startedAt: (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
  durationMs: isMs,
  ttfbMs: optional(isMs),
  body: optional(isBody),
  failure: optional(isFailure),
  warning: optional(isFailure),
  baseline: optional((value) => BASELINE.has(value)),
  badRuns: optional(isCount),
  worker: optional(isText),
};

const KEYS = Object.entries(SHAPES);

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRedirect(value: unknown): boolean {
  return isFields(value) && isStatus(value.status) && isText(value.url);
}

function isFailure(value: unknown): value is Failure {
  return isFields(value) && KINDS.has(value.kind) && isText(value.message) && optional(isText)(value.code);
}

function isBody(value: unknown): boolean {
  if (!isFields(value) || !isCount(value.bytes)) return false;
  return [value.path, value.sha256, value.text, value.base64].every(optional(isText));
}
