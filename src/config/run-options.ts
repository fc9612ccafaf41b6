import { UsageError } from '../model/errors.ts';
import type { NameTemplate } from '../model/job.ts';
import { dnsOptions, proxyOptions, tlsOptions } from './network-options.ts';
import { type OptionValues, option, type ResolvedOptions } from './option.ts';
import { duration, failureLimit, orNone, rate, size, wholeNumber } from './parse/numbers.ts';
import { retryOn, statusSet } from './parse/status-sets.ts';
import { boolean } from './parse/texts.ts';
import { accessOptions, requestOptions } from './request-options.ts';
import { checkRequirements, type Requirements } from './resolve-options.ts';
import { bodyOptions, expectOptions } from './response-options.ts';

/** Length of the queue in jobs: at least this per worker, and this by default. */
const MIN_QUEUE_PER_WORKER = 4;
const DEFAULT_QUEUE = 1000;

const DEFAULT_NAME: NameTemplate = Object.freeze([{ field: 'host' }, { field: 'path' }]);

/** The options of a run, shared by the program and the library. */
export const runOptions = {
  ...requestOptions,
  ...dnsOptions,
  ...accessOptions,
  ...bodyOptions,
  concurrency: option({
    flags: '-c, --concurrency <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 1, max: 65_535 }),
    default: 32,
    help: 'number of workers',
  }),
  perHost: option({
    flags: '--per-host <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    defaultText: 'no cap below --concurrency',
    help: 'so many requests under way to one host at most',
  }),
  rate: option({
    flags: '--rate <n[/s|/m|/h]>',
    group: 'Workers',
    parser: rate,
    default: undefined,
    defaultText: 'none',
    help: 'start no more requests than this over all hosts: 10/s, 30/m, 500/h',
  }),
  hostRate: option({
    flags: '--host-rate <n[/s|/m|/h]>',
    group: 'Workers',
    parser: rate,
    default: undefined,
    defaultText: 'none',
    help: 'start no more requests than this to one host',
  }),
  breaker: option({
    flags: '--breaker <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 0 }),
    default: 5,
    help: 'park a host after so many failures in a row to connect or to answer in time; 0 never does',
  }),
  queueSize: option({
    flags: '--queue-size <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 4 }),
    default: undefined,
    defaultText: '1000, at least 4 x --concurrency',
    help: 'hold so many jobs between the reader and the workers',
  }),
  timeout: option({
    flags: '-m, --timeout <duration>',
    group: 'Time, retries, size',
    parser: duration({ minMs: 1 }),
    default: 30_000,
    help: 'end an attempt that has not had its last byte by then (500ms, 10s, 2m, 1h)',
  }),
  connectTimeout: option({
    flags: '--connect-timeout <duration>',
    group: 'Time, retries, size',
    parser: duration({ minMs: 1 }),
    default: 10_000,
    help: 'end an attempt that is not connected by then',
  }),
  retries: option({
    flags: '--retries <n>',
    group: 'Time, retries, size',
    parser: wholeNumber({ min: 0 }),
    default: 2,
    help: 'make so many attempts more, with growing pauses between them',
  }),
  retryOn: option({
    flags: '--retry-on <list>',
    group: 'Time, retries, size',
    parser: retryOn,
    default: retryOn.parse('408,425,429,500,502,503,504,network'),
    help: 'status codes that are worth another attempt; network stands for failures to get an answer',
  }),
  retryAllMethods: option({
    flags: '--retry-all-methods',
    group: 'Time, retries, size',
    parser: boolean,
    default: false,
    help: 'retry POST, PATCH and others too, and not GET, HEAD, OPTIONS, PUT, DELETE and TRACE alone',
  }),
  maxRetryAfter: option({
    flags: '--max-retry-after <duration>',
    group: 'Time, retries, size',
    parser: duration(),
    default: 60_000,
    defaultText: '60s',
    help: 'wait no longer than this when a server says Retry-After; a longer wait is a failure at once',
  }),
  deadline: option({
    flags: '--deadline <duration>',
    group: 'Time, retries, size',
    parser: orNone(duration({ minMs: 1 }), undefined),
    default: undefined,
    defaultText: 'none',
    help: 'end the whole run by then',
  }),
  maxSize: option({
    flags: '--max-size <size>',
    group: 'Time, retries, size',
    parser: orNone(size, Number.POSITIVE_INFINITY),
    default: 10 * 1024 ** 2,
    defaultText: '10mb, none with --save-dir',
    help: 'read no more of a body than this (64kb, 10mb, 1gb, none; 1kb is 1024 bytes)',
  }),
  ...expectOptions,
  ...proxyOptions,
  ...tlsOptions,
  accept: option({
    flags: '--accept <list>',
    group: 'What counts as OK',
    parser: statusSet,
    default: statusSet.parse('200-299'),
    repeatable: true,
    help: 'status codes that are OK, after redirects: codes, ranges, and classes such as 2xx',
  }),
  failFast: option({
    flags: '--fail-fast[=n]',
    group: 'Reports',
    parser: failureLimit,
    default: undefined,
    help: 'stop after the first failure: finish what is under way, count the rest as not fetched',
  }),
  maxFailures: option({
    flags: '--max-failures <n>',
    group: 'Reports',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    help: 'stop after so many failures',
  }),
};

const SAVE_DIR = ['saveDir', 'a directory to save bodies in'] as const;

const BODY_CHECKS = ['contains', 'notContains', 'matches'] as const;
const BODY_USES = ['saveDir', 'inlineBody'] as const;

const REQUIREMENTS: Requirements<typeof runOptions> = {
  saveAll: SAVE_DIR,
  resumePartial: SAVE_DIR,
  saveAs: SAVE_DIR,
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
  /** Whether an output has the hash of a saved body. */
  readonly hashesBodies: boolean;
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
      `Cannot use ${values.queueSize} for ${labels.get('queueSize')}: it must be at least 4 times the concurrency, ${minQueue}`,
    );
  }
  checkRequirements(resolved, REQUIREMENTS);
  // A partial file must have its name before there is a response.
  if (values.resumePartial && values.saveAs?.some((part) => 'field' in part && part.field === 'status')) {
    throw new UsageError(
      `Cannot use ${labels.get('resumePartial')} with {status} in ${labels.get('saveAs')}: a name must not depend on the answer`,
    );
  }
  const { failFast, ...others } = values;
  const isSaved = values.saveDir !== undefined;
  const method = values.method ?? defaultMethod(values.head, values.data ?? values.jsonBody);
  checkBodyUse(resolved, method);
  return Object.freeze({
    ...others,
    maxFailures: failFast ?? values.maxFailures,
    saveAs: isSaved ? (values.saveAs ?? DEFAULT_NAME) : undefined,
    // A saved body has no limit by default.
    maxSize: isSaved && !labels.has('maxSize') ? Number.POSITIVE_INFINITY : values.maxSize,
    queueSize: values.queueSize ?? Math.max(DEFAULT_QUEUE, minQueue),
    method,
    // The library gives all results to its caller; the program sets this by its outputs.
    hashesBodies: true,
    userAgent: values.userAgent ?? `fanout/${version}`,
  });
}

/** Throws a `UsageError` for an option that needs bodies if no body is read. */
function checkBodyUse({ values, labels }: ResolvedOptions<typeof runOptions>, method: string): void {
  const check = BODY_CHECKS.find((key) => values[key].length > 0);
  if (method === 'HEAD' && check !== undefined) {
    const head = labels.get('head') ?? labels.get('method');
    throw new UsageError(`cannot use ${labels.get(check)} with ${head}: a HEAD response has no body`);
  }
  const user = check ?? BODY_USES.find((key) => values[key] !== undefined);
  if (values.maxSize === 0 && user !== undefined) {
    throw new UsageError(`cannot use ${labels.get(user)} with ${labels.get('maxSize')} 0: no body is read`);
  }
}

// As in curl.
function defaultMethod(head: boolean, data: string | undefined): string {
  if (head) return 'HEAD';
  return data === undefined ? 'GET' : 'POST';
}
