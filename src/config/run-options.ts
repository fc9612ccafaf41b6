import { bodyOptions } from './body-options.ts';
import { expectOptions } from './expect-options.ts';
import { dnsOptions, proxyOptions, tlsOptions } from './network-options.ts';
import { option, type Resolved } from './option.ts';
import { boolean, orNone, rate, wholeNumber } from './parse/numbers.ts';
import { retryOn, statusSet } from './parse/status-sets.ts';
import { duration, size } from './parse/units.ts';
import { accessOptions, requestOptions } from './request-options.ts';

/** The options of a run, which the program and the library share. */
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
  queue: option({
    flags: '--queue <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 4 }),
    default: undefined,
    defaultText: '1000, at least 4 x --concurrency',
    help: 'hold so many jobs between the reader and the workers',
  }),
  timeout: option({
    flags: '--timeout <duration>',
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
    help: 'status codes that are OK, after redirects: codes, ranges, and classes such as 2xx',
  }),
  failFast: option({
    flags: '--fail-fast',
    group: 'Reports',
    parser: boolean,
    default: false,
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

/**
 * The options of a run as they hold: sizes in bytes, durations in ms. `data` is as it was given: `readData` and
 * `requestTemplate` make the request of it.
 */
export interface RunOptions extends Omit<Resolved<typeof runOptions>, 'method' | 'queue' | 'userAgent'> {
  readonly method: string;
  readonly queue: number;
  readonly userAgent: string;
  /** Whether anybody is told the hash of a saved body. */
  readonly hashesBodies: boolean;
}
