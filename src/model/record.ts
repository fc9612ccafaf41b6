import { FAILURE_KINDS, type Failure } from './failure.ts';
import { type FailedResult, FILE_NOTES, type OkResult, type Result } from './result.ts';

/** The version of the record format: the value of its first key, `v`. */
export const RECORD_VERSION = 1;

type NotInRecord = 'startedAt' | 'isResumed' | 'anchors' | 'request';

/** A record as `JSON.parse` gives it. `decodeRecord()` makes a result of it, and checks it. */
export type ResultRecord = (Omit<OkResult, NotInRecord> | Omit<FailedResult, NotInRecord>) & {
  readonly v: typeof RECORD_VERSION;
  /** Start of the last attempt, in the format of `Date.toISOString()`. */
  readonly startedAt: string;
};

/**
 * Encodes a result as a record: one line of JSON without its newline. Keys without a value are left out.
 *
 * The keys are written one by one, which is three times as fast as `JSON.stringify`; that would take an eighth of the CPU
 * time of a request.
 */
export function encodeRecord(result: Result): string {
  const { input, id, finalUrl, status, redirects, contentType, ttfbMs } = result;
  let text = `{"v":${RECORD_VERSION},"index":${result.index},"source":${quote(result.source)},"line":${result.line}`;
  if (result.column !== undefined) text += `,"column":${result.column}`;
  if (input !== undefined) text += `,"input":${quote(input)}`;
  if (id !== undefined) text += `,"id":${quote(id)}`;
  text += `,"url":${quote(result.url)}`;
  if (finalUrl !== undefined) text += `,"finalUrl":${quote(finalUrl)}`;
  text += `,"method":${quote(result.method)},"ok":${result.ok}`;
  if (status !== undefined) text += `,"status":${status}`;
  text += `,"attempts":${result.attempts},"redirects":${redirects.length === 0 ? '[]' : JSON.stringify(redirects)}`;
  text += `,"bytes":${result.bytes},"truncated":${result.truncated}`;
  if (contentType !== undefined) text += `,"contentType":${quote(contentType)}`;
  text += `,"startedAt":"${isoTime(result.startedAt)}","durationMs":${tenths(result.durationMs)}`;
  if (ttfbMs !== undefined) text += `,"ttfbMs":${tenths(ttfbMs)}`;
  text += `,"totalMs":${tenths(result.totalMs)}`;
  return `${text}${rareKeys(result)}}`;
}

let latest: { readonly result: Result; readonly text: string } | undefined;

/** As `encodeRecord()`, but encodes only once for several outputs in a row. The result must not change in between. */
export function encodeRecordCached(result: Result): string {
  if (latest?.result !== result) latest = { result, text: encodeRecord(result) };
  return latest.text;
}

function rareKeys(result: Result): string {
  const {
    lenient,
    decidedBy,
    headers,
    address,
    tls,
    title,
    body,
    file,
    failure,
    warning,
    baseline,
    badRuns,
    worker,
  } = result;
  let text = lenient === true ? ',"lenient":true' : '';
  if (decidedBy !== undefined) text += `,"decidedBy":${quote(decidedBy)}`;
  if (headers !== undefined) text += `,"headers":${JSON.stringify(headers)}`;
  if (address !== undefined) text += `,"address":${quote(address)}`;
  if (tls !== undefined) text += `,"tls":${JSON.stringify(tls)}`;
  if (title !== undefined) text += `,"title":${quote(title)}`;
  if (body !== undefined)
    text += `,"body":${JSON.stringify({ ...body, buffer: undefined, stream: undefined })}`;
  if (file !== undefined) text += `,"file":"${file}"`;
  if (failure !== undefined) text += `,"failure":${JSON.stringify({ ...failure, stack: undefined })}`;
  if (warning !== undefined) text += `,"warning":${JSON.stringify(warning)}`;
  if (baseline !== undefined) text += `,"baseline":"${baseline}"`;
  if (badRuns !== undefined) text += `,"badRuns":${badRuns}`;
  if (worker !== undefined) text += `,"worker":${quote(worker)}`;
  return text;
}

// Printable ASCII without quotes and backslashes needs no escape.
const PLAIN = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

let second = Number.NaN;
let secondText = '';

/** As `Date.toISOString()`, which is called only once for each second. */
function isoTime(ms: number): string {
  const now = Math.floor(ms / 1000);
  if (now !== second) {
    secondText = new Date(now * 1000).toISOString().slice(0, -4);
    second = now;
  }
  return `${secondText}${String(Math.floor(ms) - now * 1000).padStart(3, '0')}Z`;
}

/** A parsed record, not validated yet. */
type Fields = Readonly<Record<string, unknown>>;

const KINDS: ReadonlySet<unknown> = new Set(FAILURE_KINDS);
const BASELINE: ReadonlySet<unknown> = new Set(['new', 'known', 'fixed']);

/**
 * Decodes a line of JSONL, or reports why it is not a result record. Unknown keys are ignored, since newer versions may write
 * more of them.
 */
export function decodeRecord(line: string): Result | { readonly broken: string } {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return { broken: 'it is not JSON' };
  }
  if (!isFields(record)) return { broken: 'it is not a JSON object' };
  if (record.v !== RECORD_VERSION) return { broken: `its "v" is not ${RECORD_VERSION}` };
  const invalid = KEYS.find(([key, isValid]) => !isValid(record[key]));
  if (invalid !== undefined) return { broken: `its "${invalid[0]}" is missing or wrong` };
  if (record.ok === false && record.failure === undefined) return { broken: 'it failed without a "failure"' };
  // Each key was checked above. Object.assign, since a spread of this many keys takes as long as parsing them.
  return Object.assign(record, {
    startedAt: Date.parse(String(record.startedAt)),
    totalMs: record.totalMs ?? record.durationMs,
  }) as unknown as Result;
}

const isText = (value: unknown): boolean => typeof value === 'string';
export const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isStatus = (value: unknown): boolean => isCount(value) && Number(value) <= 999;
const isMs = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0;
const isFlag = (value: unknown): boolean => typeof value === 'boolean';

function optional(isValid: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || isValid(value);
}

const SHAPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  index: isCount,
  source: isText,
  line: isCount,
  column: optional(isCount),
  input: optional(isText),
  id: optional(isText),
  url: isText,
  finalUrl: optional(isText),
  method: isText,
  decidedBy: optional(isText),
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
  totalMs: optional(isMs),
  lenient: optional(isFlag),
  headers: optional(isHeaders),
  address: optional(isText),
  tls: optional(isTls),
  title: optional(isText),
  body: optional(isBody),
  file: optional((value) => FILE_NOTES.some((note) => note === value)),
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

function isHeaders(value: unknown): boolean {
  if (!isFields(value)) return false;
  return Object.values(value).every(
    (header) => isText(header) || (Array.isArray(header) && header.every(isText)),
  );
}

function isTls(value: unknown): boolean {
  if (!isFields(value) || !isText(value.protocol) || !isText(value.cipher)) return false;
  const { alpn, subject, issuer, validFrom, validTo, daysLeft } = value;
  const areTexts = [alpn, subject, issuer, validFrom, validTo].every(optional(isText));
  return areTexts && optional(Number.isSafeInteger)(daysLeft);
}

function isFailure(value: unknown): value is Failure {
  return isFields(value) && KINDS.has(value.kind) && isText(value.message) && optional(isText)(value.code);
}

function isBody(value: unknown): boolean {
  if (!isFields(value) || !isCount(value.bytes)) return false;
  const { path, sha256, etag, lastModified, url, text, base64 } = value;
  return [path, sha256, etag, lastModified, url, text, base64].every(optional(isText));
}
