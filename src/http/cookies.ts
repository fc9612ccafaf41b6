import { realpath, rename, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type * as ToughCookie from 'tough-cookie';
import { createOwnFile, readOwnFile, syncDirectory } from '../core/own-file.ts';
import { errorCode, systemReason, toOutputError, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import type { ResponseHeaders } from '../model/result.ts';
import type { Hop } from './hop.ts';

/** Set-Cookie lines of a response, with the URL that it came from. */
export interface SetCookies {
  readonly url: string;
  readonly lines: readonly string[];
}

/** Where cookies are kept: in the jar of the run, with `chain` until the attempt of their URL ends, or nowhere. */
export type CookiePolicy = CookieJar | 'chain' | undefined;

// As many and as long as browsers keep.
const MAX_LINES = 50;
const MAX_LINE_LENGTH = 4096;
const MAX_CHAIN_LINES = 200;

/** Far more than browsers keep. */
const MAX_BYTES = 16 * 1024 ** 2;

const HEADER = '# Netscape HTTP Cookie File\n# Read and written by fanout.\n\n';
const HTTP_ONLY = '#HttpOnly_';

/** The Set-Cookie lines of a response that are kept, if there are any. */
function setCookiesOf(url: string, header: string | readonly string[]): SetCookies | undefined {
  const all = typeof header === 'string' ? [header] : header;
  const lines = all.slice(0, MAX_LINES).filter(({ length }) => length <= MAX_LINE_LENGTH);
  return lines.length === 0 ? undefined : { url, lines };
}

/** The Cookie header that a URL gets after these responses of a redirect chain; `undefined` if it gets none. */
export function cookiesOfChain(chain: readonly SetCookies[], url: string): string | undefined {
  if (chain.length === 0) return undefined;
  const jar = new CookieJar();
  let count = 0;
  for (const cookies of chain) {
    count += cookies.lines.length;
    if (count <= MAX_CHAIN_LINES) jar.store(cookies);
  }
  return jar.headerFor(url);
}

/** A hop with the cookies that it gets, after those of the user. */
export function withCookies(hop: Hop, policy: CookiePolicy, chain: readonly SetCookies[]): Hop {
  const cookies = typeof policy === 'object' ? policy.headerFor(hop.url) : cookiesOfChain(chain, hop.url);
  if (cookies === undefined) return hop;
  const own = hop.headers.cookie;
  return { ...hop, headers: { ...hop.headers, cookie: own ? `${own}; ${cookies}` : cookies } };
}

/** Stores the cookies of a response in the jar, if there is one; otherwise returns those that are kept for the chain. */
export function takeCookies(
  policy: CookiePolicy,
  url: string,
  headers: ResponseHeaders,
): SetCookies | undefined {
  const header = headers['set-cookie'];
  const cookies = policy === undefined || header === undefined ? undefined : setCookiesOf(url, header);
  if (cookies === undefined || policy === 'chain') return cookies;
  policy?.store(cookies);
  return undefined;
}

/** Cookies by the rules of RFC 6265: each is sent only to the hosts that it is meant for, and a secure one only over TLS. */
export class CookieJar {
  readonly #jar = new (loadToughCookie().CookieJar)(undefined, { looseMode: true });

  /** Takes the cookies of a response. One that the host may not set is ignored. */
  store({ url, lines }: SetCookies): void {
    for (const line of lines) this.#set(line, url);
  }

  /** The Cookie header of a request. */
  headerFor(url: string): string | undefined {
    return this.#jar.getCookieStringSync(url) || undefined;
  }

  /** Takes the cookies of a file in the Netscape format; returns the number of the first line that is not one, if any. */
  read(text: string): number | undefined {
    for (const [index, line] of text
      .replace(/^\ufeff/, '')
      .split(/\r?\n/)
      .entries()) {
      const isHttpOnly = line.startsWith(HTTP_ONLY);
      if (line.trim() === '' || (line.startsWith('#') && !isHttpOnly)) continue;
      const fields = line.slice(isHttpOnly ? HTTP_ONLY.length : 0).split('\t');
      if (!this.#readFields(fields, isHttpOnly)) return index + 1;
    }
    return undefined;
  }

  /** All cookies that have not expired, in the Netscape format. A cookie of the session has the time 0. */
  toText(): string {
    const { cookies = [] } = this.#jar.serializeSync() ?? {};
    const { Cookie } = loadToughCookie();
    const lines = cookies.map((serialized) => {
      const cookie = Cookie.fromJSON(serialized);
      if (cookie === undefined || cookie.domain === null || cookie.TTL() <= 0) return '';
      const { key, value, domain, path, secure, httpOnly, hostOnly } = cookie;
      const expires = cookie.expiryTime();
      const seconds = expires === undefined || !Number.isFinite(expires) ? 0 : Math.floor(expires / 1000);
      const fields = [
        `${httpOnly ? HTTP_ONLY : ''}${hostOnly ? '' : '.'}${domain}`,
        hostOnly ? 'FALSE' : 'TRUE',
        path ?? '/',
        secure ? 'TRUE' : 'FALSE',
        seconds,
        key,
        value,
      ];
      return `${fields.join('\t')}\n`;
    });
    return HEADER + lines.join('');
  }

  #readFields(fields: readonly string[], isHttpOnly: boolean): boolean {
    const [domain = '', subdomains, path = '', secure, expires = '', key = '', value = ''] = fields;
    if (
      fields.length < 6 ||
      fields.length > 7 ||
      domain === '' ||
      !path.startsWith('/') ||
      !/^-?\d+$/.test(expires)
    )
      return false;
    const host = domain.replace(/^\./, '');
    const time = Number(expires);
    const { Cookie } = loadToughCookie();
    const cookie = new Cookie({
      key,
      value,
      path,
      secure: secure === 'TRUE',
      httpOnly: isHttpOnly,
      domain: subdomains === 'TRUE' ? host : null,
      expires: time === 0 ? 'Infinity' : new Date(time * 1000),
    });
    this.#set(cookie, `${secure === 'TRUE' ? 'https' : 'http'}://${host}${path}`);
    return true;
  }

  #set(cookie: string | ToughCookie.Cookie, url: string): void {
    try {
      this.#jar.setCookieSync(cookie, url, { ignoreError: true, loose: true });
    } catch {
      // A host that is no host: nothing can be sent to it.
    }
  }
}

/** The file of `--cookies`: its jar, which is written back at the end of the run. Only its owner may read a new one. */
export class CookieFile {
  readonly jar = new CookieJar();
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Throws a `UsageError` if the file cannot be read or is not a cookie file, an `OutputError` if it cannot be written. */
  static async open(path: string): Promise<CookieFile> {
    // A link is kept: the file that it leads to is replaced.
    const file = new CookieFile(await realpath(path).catch(() => path));
    const name = `"${excerpt(path)}" for --cookies`;
    const text = await readOwnFile(file.#path, MAX_BYTES).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return '';
      throw new UsageError(`cannot read ${name}: ${printable(systemReason(error))}`);
    });
    const wrong = file.jar.read(text.toString());
    if (wrong !== undefined) {
      throw new UsageError(
        `invalid value in line ${wrong} of ${name}: must be a cookie in the Netscape format, with 7 fields separated by tabs`,
      );
    }
    await file.write();
    return file;
  }

  /** Replaces the file. Throws an `OutputError` if that fails. */
  async write(): Promise<void> {
    const part = `${this.#path}.part`;
    try {
      const mode = await stat(this.#path).then(
        ({ mode }) => mode & 0o777,
        () => 0o600,
      );
      const file = await createOwnFile(part, mode);
      try {
        await file.writeFile(this.jar.toText());
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.#path);
      await syncDirectory(dirname(this.#path));
    } catch (error) {
      throw toOutputError(this.#path, error);
    }
  }
}

/** Opens the file of `--cookies`, if it is set. Throws a `UsageError` or an `OutputError`. */
export async function openCookieFile({
  cookies,
}: {
  readonly cookies: string | false | undefined;
}): Promise<CookieFile | undefined> {
  return typeof cookies === 'string' ? CookieFile.open(cookies) : undefined;
}

let toughCookie: typeof ToughCookie | undefined;

function loadToughCookie(): typeof ToughCookie {
  toughCookie ??= createRequire(import.meta.url)('tough-cookie') as typeof ToughCookie; // require() gives `any`
  return toughCookie;
}
