import { extractUserInfo } from '../input/parse-url.ts';
import { printable } from '../model/printable.ts';
import { originOf } from '../model/url.ts';
import { type Hop, type HostHeaders, headersFor } from './hop.ts';

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
// `host` is not a secret, but names the origin that is left.
const HEADERS_OF_ORIGIN = ['authorization', 'cookie', 'proxy-authorization', 'host'];
const HEADERS_OF_BODY = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
];

/** Whether a response with this status redirects to its Location. */
export function isRedirect(status: number): boolean {
  return REDIRECT_STATUSES.has(status);
}

/**
 * The hop that a redirect leads to, by RFC 9110 (15.4) and the Fetch standard, or the reason why it cannot be followed.
 * - 303, and 301 and 302 after POST, become GET without a body.
 * - Credentials are dropped when the origin changes. Those in the Location are sent if no redirect has led to another origin, as
 *   by curl: no server chooses what another one is sent.
 * - Headers for one host are dropped when the origin changes, and those of the new host added, unless a redirect has led
 *   from https to http.
 */
export function nextHop(
  hop: Hop,
  status: number,
  location: string,
  hostHeaders?: HostHeaders,
): Hop | { readonly refused: string } {
  if (location.trim() === '') return { refused: 'the Location is empty' };
  const target = resolveLocation(hop.url, location);
  if (target === undefined) return { refused: `the Location "${redacted(location)}" is not a URL` };
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    return { refused: `the Location leads to "${target.protocol}"` };
  }
  // There is no such port, and a browser does not ask for it.
  if (target.port === '0') return { refused: `the Location "${redacted(location)}" has the port 0` };
  const { authorization } = extractUserInfo(target);
  const url = toHopUrl(target, hop.url);
  const moved = originOf(url) === originOf(hop.url) ? { ...hop, url } : changeOrigin(hop, url, hostHeaders);
  const becomesGet = (status === 303 && hop.method !== 'HEAD') || (status < 303 && hop.method === 'POST');
  const next = becomesGet ? toGet(moved) : moved;
  if (authorization === undefined || next.hasLeftOrigin === true) return next;
  return { ...next, headers: { ...next.headers, authorization } };
}

function changeOrigin(hop: Hop, url: string, hostHeaders: HostHeaders | undefined): Hop {
  const { method, body } = hop;
  const isDowngraded = hop.isDowngraded === true || (hop.url.startsWith('https:') && url.startsWith('http:'));
  const portable = without(hop.portable ?? hop.headers, HEADERS_OF_ORIGIN);
  const own = isDowngraded ? undefined : headersFor(hostHeaders, url);
  const moved = { url, method, body, isDowngraded, hasLeftOrigin: true };
  if (own === undefined) return { ...moved, headers: portable };
  return { ...moved, headers: { ...portable, ...own }, portable };
}

function toGet(hop: Hop): Hop {
  const portable = hop.portable === undefined ? {} : { portable: without(hop.portable, HEADERS_OF_BODY) };
  const headers = without(hop.headers, HEADERS_OF_BODY);
  return { ...hop, method: 'GET', body: undefined, headers, ...portable };
}

/** Encodes what is not ASCII in a text of bytes. */
function percentEncodeBytes(latin1: string): string {
  return latin1.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Resolves a Location, which arrives here as latin1. Bytes that are not UTF-8 are sent as they came. */
function resolveLocation(base: string, location: string): URL | undefined {
  const decoded = Buffer.from(location, 'latin1').toString('utf8');
  const text = decoded.includes('\ufffd') ? percentEncodeBytes(location) : decoded;
  try {
    // Not `URL.canParse`: once optimised, Node 20's returns false for anything but ASCII.
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

/** A Location for messages, without the credentials that it may contain. */
function redacted(location: string): string {
  const at = location.lastIndexOf('@');
  return printable(at === -1 ? location : `***${location.slice(at)}`, 200);
}

/** The target, with the fragment of the redirected URL unless it has its own (RFC 9110, 10.2.2). */
function toHopUrl(target: URL, redirectedUrl: string): string {
  const fragment = redirectedUrl.indexOf('#');
  // `hash` does not show an empty fragment, which counts as well.
  if (fragment !== -1 && !target.href.includes('#')) target.hash = redirectedUrl.slice(fragment);
  return target.href;
}

function without(
  headers: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  if (!names.some((name) => name in headers)) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
