import type { Header } from './parsers/header.ts';
import type { RunOptions } from './run-options.ts';

/** What every request of a run begins with; a job may change each part of it. */
export interface RequestTemplate {
  readonly method: string;
  /** Values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/**
 * Makes the request that the options ask for, as curl does.
 * - `body` is what `readData` gave; without it, `data` is sent as text.
 * - A body is a form unless a content-type header was given.
 * - A user-agent header wins over `userAgent`; an empty `userAgent` sends none.
 * - A header that was given several times is sent as one, joined as RFC 9110, section 5.3, says.
 */
export function requestTemplate(
  options: Pick<RunOptions, 'method' | 'header' | 'data' | 'userAgent'>,
  body: string | Uint8Array | undefined = options.data,
): RequestTemplate {
  const headers = joinHeaders(options.header);
  if (options.userAgent !== '') headers['user-agent'] ??= options.userAgent;
  if (body === undefined) return { method: options.method, headers };
  headers['content-type'] ??= 'application/x-www-form-urlencoded';
  return { method: options.method, headers, body };
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
