import { systemReason, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import type { HostTable } from './host-settings.ts';
import { toHostname } from './parse/addresses.ts';
import type { Header, HostHeader } from './parse/headers.ts';
import type { RunOptions } from './run-options.ts';

/** What every request of a run starts from; a job may change each part of it. */
export interface RequestTemplate {
  readonly method: string;
  /** Values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Headers for one host each, by host or by host and port. Missing if there are none. */
  readonly hostHeaders?: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

/**
 * Creates the request that the options describe, as curl does.
 * - `body` is the result of `readData`; without it, `data` or `jsonBody` is sent as text.
 * - The body of `data` is a form unless a content-type header is given.
 * - With `jsonBody`, content-type and accept are `application/json` unless these headers are given.
 * - A user-agent header wins over `userAgent`; an empty `userAgent` sends none.
 * - An authorization header wins over `user`.
 * - The headers of `headerFor` win over those of `hosts` for the same host, and these over its `user`.
 * - The logins of `netrc`, the text of such a file, are used only if neither gives credentials for all hosts.
 * - A header that is given several times is sent as one, joined as in RFC 9110, section 5.3.
 */
export function createRequestTemplate(
  options: Pick<RunOptions, 'method' | 'header' | 'headerFor' | 'user' | 'data' | 'jsonBody' | 'userAgent'> &
    Partial<Pick<RunOptions, 'hosts'>>,
  body: string | Uint8Array | undefined = options.data ?? options.jsonBody,
  netrc = '',
): RequestTemplate {
  const headers = joinHeaders(options.header);
  if (options.userAgent !== '') headers['user-agent'] ??= options.userAgent;
  if (options.user !== undefined) headers.authorization ??= basicAuthorization(options.user);
  const isForAll = headers.authorization !== undefined;
  const hostHeaders = withLogins(
    withHosts(groupByHost(options.headerFor), options.hosts),
    isForAll ? [] : parseNetrc(netrc),
  );
  const request = { method: options.method, headers, ...(hostHeaders.size > 0 ? { hostHeaders } : {}) };
  if (body === undefined) return request;
  if (options.jsonBody === undefined) headers['content-type'] ??= 'application/x-www-form-urlencoded';
  else {
    headers['content-type'] ??= 'application/json';
    headers.accept ??= 'application/json';
  }
  return { ...request, body };
}

/** The value of an authorization header (RFC 7617), in UTF-8 as in browsers and curl. */
function basicAuthorization(user: string): string {
  return `Basic ${Buffer.from(user).toString('base64')}`;
}

/** A login of a netrc file. */
interface Login {
  readonly host: string;
  /** `NAME:PASSWORD`. */
  readonly user: string;
}

/** A word in quotes, or a word. */
const NETRC_TOKEN = /"((?:[^"\\]|\\.)*)"|\S+/g;
const NETRC_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const NETRC_KEYWORDS: ReadonlySet<string> = new Set(['machine', 'default', 'login', 'password', 'account']);

/**
 * The logins of a netrc file, each for one host, as curl reads it. A `default` login is left out: it would go to every host of a
 * list. Throws a `UsageError` that names the line of what is wrong, and shows nothing of it.
 */
export function parseNetrc(text: string): readonly Login[] {
  const logins: Login[] = [];
  let entry: { machine?: string; login?: string; password?: string } = {};
  const close = (): void => {
    const { machine, login, password = '' } = entry;
    const host = machine === undefined ? undefined : toHostname(machine);
    if (host !== undefined && login !== undefined) logins.push({ host, user: `${login}:${password}` });
    entry = {};
  };
  let keyword: string | undefined;
  let isMacro = false;
  for (const [index, line] of text.split('\n').entries()) {
    const start = line.trimStart();
    if (start.startsWith('#') || (isMacro && start !== '')) continue;
    isMacro = false;
    for (const [token, quoted] of line.matchAll(NETRC_TOKEN)) {
      if (quoted === undefined && token.startsWith('"')) {
        throw new UsageError(`invalid netrc file: line ${index + 1} has a quotation mark without its end`);
      }
      if (keyword !== undefined) {
        const value = quoted?.replace(/\\(.)/g, (_, mark: string) => NETRC_ESCAPES.get(mark) ?? mark);
        entry = { ...entry, [keyword]: value ?? token };
        keyword = undefined;
        continue;
      }
      if (token.startsWith('#')) break;
      isMacro = token === 'macdef';
      if (isMacro) break; // up to the next blank line
      if (!NETRC_KEYWORDS.has(token)) {
        throw new UsageError(
          `invalid netrc file: line ${index + 1} has a word that is not machine, login or password`,
        );
      }
      if (token === 'machine' || token === 'default') close();
      if (token !== 'default') keyword = token;
    }
  }
  if (keyword !== undefined) throw new UsageError(`invalid netrc file: ${keyword} at its end has no value`);
  close();
  return logins;
}

/** Adds logins to the headers for one host each. The first login of a host counts, and none if the host has credentials. */
function withLogins(
  table: ReadonlyMap<string, Readonly<Record<string, string>>>,
  logins: readonly Login[],
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const all = new Map(table);
  for (const { host, user } of logins) {
    all.set(host, { authorization: basicAuthorization(user), ...all.get(host) });
  }
  return all;
}

/** Adds the headers and the user of settings for single hosts. */
function withHosts(
  table: ReadonlyMap<string, Readonly<Record<string, string>>>,
  hosts: HostTable = new Map(),
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const all = new Map(table);
  for (const [host, { headers = [], user }] of hosts) {
    if (headers.length === 0 && user === undefined) continue;
    const login = user === undefined ? {} : { authorization: basicAuthorization(user) };
    all.set(host, { ...login, ...joinHeaders(headers), ...all.get(host) });
  }
  return all;
}

function groupByHost(list: readonly HostHeader[]): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const groups = new Map<string, HostHeader[]>();
  for (const header of list) {
    const group = groups.get(header.host);
    if (group === undefined) groups.set(header.host, [header]);
    else group.push(header);
  }
  return new Map([...groups].map(([host, group]) => [host, joinHeaders(group)]));
}

function joinHeaders(list: readonly Header[]): Record<string, string> {
  const joined = new Map<string, string>();
  for (const { name, value } of list) {
    const previous = joined.get(name);
    const separator = name === 'cookie' ? '; ' : ', ';
    joined.set(name, previous === undefined ? value : `${previous}${separator}${value}`);
  }
  return Object.fromEntries(joined);
}

/**
 * The request body of `--data` or `--json-body`: the text itself, or the unchanged bytes of the file after an `@`;
 * `undefined` if there is none. `readFile` returns the bytes of a file. Throws `UsageError` if it cannot be read.
 */
export async function readData(
  { data, jsonBody }: Pick<RunOptions, 'data' | 'jsonBody'>,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<string | Uint8Array | undefined> {
  const text = data ?? jsonBody;
  if (!text?.startsWith('@')) return text;
  const flag = data === undefined ? '--json-body' : '--data';
  const path = text.slice(1);
  if (path === '' || path === '-') {
    throw new UsageError(`invalid value "${text}" for ${flag}: must name a file after the @`);
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(`cannot read ${excerpt(path)} for ${flag}: ${printable(systemReason(error))}`);
  }
}
