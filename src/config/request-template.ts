import { systemReason, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { Header, HostHeader } from './parse/headers.ts';
import type { RunOptions } from './run-options.ts';

/** What every request of a run begins with; a job may change each part of it. */
export interface RequestTemplate {
  readonly method: string;
  /** Values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Headers for one host alone, by host or by host and port. Left out when there are none. */
  readonly hostHeaders?: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

/**
 * Makes the request that the options ask for, as curl does.
 * - `body` is what `readData` gave; without it, `data` is sent as text.
 * - A body is a form unless a content-type header was given.
 * - A user-agent header wins over `userAgent`; an empty `userAgent` sends none.
 * - An authorization header wins over `user`.
 * - A header that was given several times is sent as one, joined as RFC 9110, section 5.3, says.
 */
export function requestTemplate(
  options: Pick<RunOptions, 'method' | 'header' | 'headerFor' | 'user' | 'data' | 'userAgent'>,
  body: string | Uint8Array | undefined = options.data,
): RequestTemplate {
  const headers = joinHeaders(options.header);
  if (options.userAgent !== '') headers['user-agent'] ??= options.userAgent;
  if (options.user !== undefined) headers.authorization ??= basic(options.user);
  const request = { method: options.method, headers, ...byHost(options.headerFor) };
  if (body === undefined) return request;
  headers['content-type'] ??= 'application/x-www-form-urlencoded';
  return { ...request, body };
}

/** The value of an authorization header (RFC 7617), in UTF-8 as browsers and curl have it. */
function basic(user: string): string {
  return `Basic ${Buffer.from(user).toString('base64')}`;
}

function byHost(list: readonly HostHeader[]): Pick<RequestTemplate, 'hostHeaders'> {
  if (list.length === 0) return {};
  const lists = new Map<string, HostHeader[]>();
  for (const entry of list) {
    const before = lists.get(entry.host);
    if (before === undefined) lists.set(entry.host, [entry]);
    else before.push(entry);
  }
  return { hostHeaders: new Map([...lists].map(([host, entries]) => [host, joinHeaders(entries)])) };
}

function joinHeaders(list: readonly Header[]): Record<string, string> {
  const joined = new Map<string, string>();
  for (const { name, value } of list) {
    const before = joined.get(name);
    const separator = name === 'cookie' ? '; ' : ', ';
    joined.set(name, before === undefined ? value : `${before}${separator}${value}`);
  }
  return Object.fromEntries(joined);
}

/**
 * The request body that `--data` stands for: the text itself, or the bytes of the file after `@`, unchanged.
 * `readFile` gives the bytes of a file. Throws `UsageError` when it cannot be read.
 */
export async function readData(
  data: string,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<string | Uint8Array> {
  if (!data.startsWith('@')) return data;
  const path = data.slice(1);
  if (path === '' || path === '-') {
    throw new UsageError(`Cannot use "${data}" for --data: it must name a file after the @`);
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(`Cannot read ${printable(path)} for --data: ${printable(systemReason(error))}`);
  }
}
