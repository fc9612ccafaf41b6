import { UsageError } from '../model/errors.ts';
import type { NameTemplate } from '../model/job.ts';
import { addressOptions, proxyOptions, tlsOptions } from './network-options.ts';
import { type OptionValues, option, type ResolvedOptions } from './option.ts';
import { duration, failureLimit, orNone, rate, size, wholeNumber } from './parse/numbers.ts';
import type { RecordKey } from './parse/record-format.ts';
import { retryOn, statusSet } from './parse/status-sets.ts';
import { boolean } from './parse/texts.ts';
import { requestOptions } from './request-options.ts';
import { checkRequirements, type Requirements } from './resolve-options.ts';
import { bodyOptions, expectOptions } from './response-options.ts';

/** Length of the queue in jobs: at least this per worker, and this by default. */
const MIN_QUEUE_PER_WORKER = 4;
const DEFAULT_QUEUE = 20_000;
/** What the jobs of a queue of the default length may take in memory. */
const DEFAULT_QUEUE_BYTES = 32 * 1024 ** 2;
/** Results with bodies that wait for their turn in an ordered output. */
const MAX_ORDERED_BODIES = 1_000;

const DEFAULT_NAME: NameTemplate = Object.freeze([{ field: 'host' }, { field: 'path' }]);

/** The options of a run, shared by the program and the library. */
export const runOptions = {
  ...requestOptions,
  ...bodyOptions,
  concurrency: option({
    flags: '-c, --concurrency <n>',
    group: 'Speed and politeness',
    parser: wholeNumber({ min: 1, max: 65_535 }),
    default: 32,
    help: 'maximum number of requests in flight',
  }),
  perHost: option({
    flags: '--per-host <n>',
    group: 'Speed and politeness',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    defaultText: 'no cap below --concurrency',
    help: 'maximum number of requests in flight per host',
  }),
  rate: option({
    flags: '--rate <n[/s|/m|/h]>',
    group: 'Speed and politeness',
    parser: rate,
    default: undefined,
    defaultText: 'none',
    help: 'maximum rate of requests: 10/s, 30/m or 500/h',
  }),
  hostRate: option({
    flags: '--host-rate <n[/s|/m|/h]>',
    group: 'Speed and politeness',
    parser: rate,
    default: undefined,
    defaultText: 'none',
    help: 'maximum rate of requests per host',
  }),
  queueSize: option({
    flags: '--queue-size <n>',
    group: 'Speed and politeness',
    parser: wholeNumber({ min: 4 }),
    default: undefined,
    defaultText: '20000, at least 4 x --concurrency',
    help: 'maximum number of queued jobs',
    details: 'Jobs with long URLs or bodies are fewer: 20000 take up to 32mb of memory.',
  }),
  breaker: option({
    flags: '--breaker <n>',
    group: 'Speed and politeness',
    parser: wholeNumber({ min: 0 }),
    default: 5,
    help: 'pause a host after n failures in a row; 0: never',
    details:
      'Failures to connect, resets, timeouts and responses that are not HTTP count. The pauses are 1s, 2s, 4s up to 30s, each followed by one request.',
  }),
  giveUpAfter: option({
    flags: '--give-up-after <duration>',
    group: 'Speed and politeness',
    parser: duration(),
    default: 30_000,
    help: 'give up a host without a sign of life for this long',
    details:
      'At least one request is sent after the first pause of --breaker. What remains of the host fails as down.',
  }),
  timeout: option({
    flags: '-m, --timeout <duration>',
    group: 'Time, retries, size',
    parser: duration({ minMs: 1 }),
    default: 30_000,
    help: 'time limit per attempt, redirects and body included',
    details: 'Durations: 500ms, 10s, 2m, 1h.',
  }),
  connectTimeout: option({
    flags: '--connect-timeout <duration>',
    group: 'Time, retries, size',
    parser: duration({ minMs: 1 }),
    default: 10_000,
    help: 'time limit for DNS, TCP and TLS together',
  }),
  retries: option({
    flags: '--retries <n>',
    group: 'Time, retries, size',
    parser: wholeNumber({ min: 0 }),
    default: 2,
    help: 'retry failed requests up to n times, with backoff',
  }),
  retryOn: option({
    flags: '--retry-on <list>',
    group: 'Time, retries, size',
    parser: retryOn,
    default: retryOn.parse('408,425,429,500,502,503,504,network'),
    help: 'what to retry: status codes, and "network" for no response',
  }),
  retryAllMethods: option({
    flags: '--retry-all-methods',
    group: 'Time, retries, size',
    parser: boolean,
    default: false,
    help: 'also retry methods such as POST and PATCH',
    details: 'By default, only GET, HEAD, OPTIONS, PUT, DELETE and TRACE are retried.',
  }),
  maxRetryAfter: option({
    flags: '--max-retry-after <duration>',
    group: 'Speed and politeness',
    parser: duration(),
    default: 60_000,
    defaultText: '60s',
    help: 'longest wait that a Retry-After header may request',
    details: 'If a server asks for a longer wait, nothing more is sent to its host.',
  }),
  deadline: option({
    flags: '--deadline <duration>',
    group: 'Time, retries, size',
    parser: orNone(duration({ minMs: 1 }), undefined),
    default: undefined,
    defaultText: 'none',
    help: 'time limit for the whole run',
  }),
  maxSize: option({
    flags: '--max-size <size>',
    group: 'Time, retries, size',
    parser: orNone(size, Number.POSITIVE_INFINITY),
    default: 10 * 1024 ** 2,
    defaultText: '10mb, none with --save-dir',
    help: 'read at most this much of a body: 64kb, 10mb or none',
    details:
      'With 0, a request ends at the response head. 1kb is 1024 bytes. A stream that may never end (audio, video, text/event-stream, multipart/x-mixed-replace without a length) is read for 1s at most, and is OK, if its body is neither kept nor checked.',
  }),
  accept: option({
    flags: '--accept <list>',
    group: 'What counts as OK',
    parser: statusSet,
    default: statusSet.parse('200-299'),
    repeatable: true,
    help: 'status codes that are OK: 200-299,304 or 2xx',
    details: 'The status after redirects counts.',
  }),
  ...expectOptions,
  ...tlsOptions,
  ...proxyOptions,
  ...addressOptions,
  failFast: option({
    flags: '--fail-fast[=n]',
    group: 'Reports and comparison',
    parser: failureLimit,
    default: undefined,
    help: 'stop after the first failure, or after n failures',
    details: 'Requests in flight are finished; the rest is not fetched.',
  }),
  maxFailures: option({
    flags: '--max-failures <n>',
    group: 'Reports and comparison',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    help: 'the same as --fail-fast=n',
  }),
};

const SAVE_DIR = ['saveDir', '--save-dir'] as const;

const BODY_CHECKS = ['contains', 'notContains', 'matches', 'checkFragments'] as const;
const BODY_USES = ['saveDir', 'inlineBody'] as const;

const REQUIREMENTS: Requirements<typeof runOptions> = {
  saveAll: SAVE_DIR,
  resumePartial: SAVE_DIR,
  saveAs: SAVE_DIR,
  skipExisting: SAVE_DIR,
};

/**
 * The options of a run, after `deriveRunOptions`: sizes in bytes, durations in ms. `data` is as given: `readData` reads
 * the file that it may name.
 */
export interface RunOptions
  extends Omit<OptionValues<typeof runOptions>, 'method' | 'queueSize' | 'userAgent' | 'failFast'> {
  readonly method: string;
  readonly queueSize: number;
  readonly userAgent: string;
  /** Limit in bytes for a body that is not saved, in a run that saves others. */
  readonly maxUnsavedSize: number;
  /** Whether an output has the hash of a saved body. */
  readonly hashesBodies: boolean;
  /** Keys that results have because they were requested. */
  readonly keeps: readonly RecordKey[];
  /** Whether results have their body as a `Buffer`, up to `maxSize`. */
  readonly keepsBuffers?: boolean;
}

/**
 * Sets the defaults that depend on other options, and checks the options that belong together. `version` is the one in
 * the default user agent. Throws `UsageError`.
 */
export function deriveRunOptions(resolved: ResolvedOptions<typeof runOptions>, version: string): RunOptions {
  const { values, labels } = resolved;
  const minQueue = MIN_QUEUE_PER_WORKER * values.concurrency;
  if (values.queueSize !== undefined && values.queueSize < minQueue) {
    throw new UsageError(
      `invalid value ${values.queueSize} for ${labels.get('queueSize')}: must be at least ${minQueue}, 4 times the concurrency`,
    );
  }
  checkRequirements(resolved, REQUIREMENTS);
  // A partial file must have its name before there is a response.
  if (values.resumePartial && values.saveAs?.some((part) => 'field' in part && part.field === 'status')) {
    throw new UsageError(
      `cannot use ${labels.get('resumePartial')} with {status} in ${labels.get('saveAs')}: the file is named before there is a response`,
    );
  }
  const { failFast, ...others } = values;
  const isSaved = values.saveDir !== undefined;
  const method = values.method ?? defaultMethod(values.head, values.data ?? values.jsonBody);
  checkBodyUse(resolved, method);
  // By default, a body that fits into its record is read to its end.
  const maxUnsavedSize = labels.has('maxSize')
    ? values.maxSize
    : Math.max(values.maxSize, values.inlineBody ?? 0);
  return Object.freeze({
    ...others,
    maxFailures: failFast ?? values.maxFailures,
    saveAs: isSaved ? (values.saveAs ?? DEFAULT_NAME) : undefined,
    // A saved body has no limit by default.
    maxSize: isSaved && !labels.has('maxSize') ? Number.POSITIVE_INFINITY : maxUnsavedSize,
    maxUnsavedSize,
    queueSize: values.queueSize ?? Math.max(DEFAULT_QUEUE, minQueue),
    method,
    // The library gives all results to its caller; the program sets this by its outputs.
    hashesBodies: true,
    keeps: [],
    userAgent: values.userAgent ?? `fanout/${version}`,
  });
}

/** Size in bytes of the jobs that a queue holds. */
export function queueBytes({ queueSize }: RunOptions): number {
  return DEFAULT_QUEUE_BYTES * Math.max(1, queueSize / DEFAULT_QUEUE);
}

/** How many results wait for their turn in an ordered output. */
export function orderWindowSize({ queueSize, concurrency, inlineBody, keepsBuffers }: RunOptions): number {
  const hasBodies = inlineBody !== undefined || keepsBuffers === true;
  return concurrency + (hasBodies ? Math.min(queueSize, MAX_ORDERED_BODIES) : queueSize);
}

/** Throws a `UsageError` for an option that needs bodies if no body is read. */
function checkBodyUse({ values, labels }: ResolvedOptions<typeof runOptions>, method: string): void {
  const check = BODY_CHECKS.find((key) => hasValue(values[key]));
  if (method === 'HEAD' && check !== undefined) {
    const head = labels.get('head') ?? labels.get('method');
    throw new UsageError(`cannot use ${labels.get(check)} with ${head}: a HEAD response has no body`);
  }
  const user = check ?? BODY_USES.find((key) => values[key] !== undefined);
  if (values.maxSize === 0 && user !== undefined) {
    throw new UsageError(`cannot use ${labels.get(user)} with ${labels.get('maxSize')} 0: no body is read`);
  }
}

function hasValue(value: boolean | readonly unknown[]): boolean {
  return typeof value === 'boolean' ? value : value.length > 0;
}

// As in curl.
function defaultMethod(head: boolean, data: string | undefined): string {
  if (head) return 'HEAD';
  return data === undefined ? 'GET' : 'POST';
}
