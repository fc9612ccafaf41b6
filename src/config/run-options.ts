import { option, type Resolved } from './option.ts';
import { boolean } from './parsers/boolean.ts';
import { duration } from './parsers/duration.ts';
import { type Header, headers } from './parsers/header.ts';
import { headerValue } from './parsers/header-value.ts';
import { method } from './parsers/method.ts';
import { oneOf } from './parsers/one-of.ts';
import { orNone } from './parsers/or-none.ts';
import { retryOn } from './parsers/retry-on.ts';
import { size } from './parsers/size.ts';
import { statusSet } from './parsers/status-set.ts';
import { secretText } from './parsers/text.ts';
import { wholeNumber } from './parsers/whole-number.ts';
import { maskData, maskHeaders } from './secrets.ts';

const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** The options of a run, which the program and the library share. */
export const runOptions = {
  unique: option({
    flags: '--unique',
    group: 'Lines',
    parser: boolean,
    default: false,
    help: 'fetch each distinct URL once and count the others as skipped',
  }),
  defaultScheme: option({
    flags: '--default-scheme <scheme>',
    group: 'Lines',
    parser: oneOf(['http', 'https']),
    default: undefined,
    help: 'take a line without a scheme, such as example.com/x, as a URL of this one: http or https',
  }),
  method: option({
    flags: '-X, --method <method>',
    group: 'Request',
    parser: method,
    default: undefined,
    defaultText: 'GET, or POST with --data',
    help: 'request method',
  }),
  head: option({
    flags: '-I, --head',
    group: 'Request',
    parser: boolean,
    default: false,
    help: 'send HEAD, and GET once more where the answer is 405 or 501',
  }),
  header: option({
    flags: '-H, --header <line>',
    group: 'Request',
    parser: headers,
    default: NO_HEADERS,
    help: "send this header, 'Name: value', with every request; $NAME is taken from the environment and $$ is a $ (repeatable)",
    repeatable: true,
    expands: true,
    mask: maskHeaders,
  }),
  data: option({
    flags: '-d, --data <text|@file>',
    group: 'Request',
    parser: secretText,
    default: undefined,
    help: 'send this text, or what the file holds, as the body; it is a form unless a content-type header says otherwise',
    mask: maskData,
  }),
  userAgent: option({
    flags: '-A, --user-agent <text>',
    group: 'Request',
    parser: headerValue,
    default: undefined,
    defaultText: 'fanout/VERSION',
    help: 'send this user-agent header; none when it is empty',
  }),
  maxRedirects: option({
    flags: '--max-redirects <n>',
    group: 'Request',
    parser: wholeNumber({ min: 0 }),
    default: 10,
    help: 'follow so many redirects; with 0 the redirect itself is judged by --accept',
  }),
  decompress: option({
    flags: '--no-decompress',
    group: 'Request',
    parser: boolean,
    default: true,
    help: 'take bodies as they are sent, and ask for no compression',
  }),
  concurrency: option({
    flags: '-c, --concurrency <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 1, max: 65_535 }),
    default: 32,
    help: 'number of workers',
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
    help: 'read no more of a body than this (64kb, 10mb, 1gb, none; 1kb is 1024 bytes)',
  }),
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
}
