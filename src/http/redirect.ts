import { printable } from '../model/printable.ts';
import { originOf } from '../model/url.ts';
import { type Hop, type HostHeaders, headersFor } from './hop.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
// `host` is no secret, but names the origin that is left.
const BOUND_TO_ORIGIN = ['authorization', 'cookie', 'proxy-authorization', 'host'];
const BODY_HEADERS = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
];

/** Whether a status asks to go to its Location. */
export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/**
 * Where a redirect leads, with what RFC 9110 (15.4) and the Fetch standard make of method, body and headers: 303, and
 * 301 and 302 after POST, become GET without a body; secrets stay behind when the origin is left.
 * Headers for one host stay behind, too; those for the new one are added, unless the way there leads from https to http.
 * Answers with a reason when the Location cannot be followed.
 */
export function nextHop(
  hop: Hop,
  status: number,
  location: string,
  hostHeaders?: HostHeaders,
): Hop | { readonly refused: string } {
  if (location.trim() === '') return { refused: 'the Location is empty' };
  const target = resolveLocation(hop.url, location);
  if (target === undefined) return { refused: `the Location "${shown(location)}" is no URL` };
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    return { refused: `the Location leads to "${target.protocol}"` };
  }
  const url = withFragmentOf(hop.url, target);
  const moved = originOf(url) === originOf(hop.url) ? { ...hop, url } : leave(hop, url, hostHeaders);
  const becomesGet = (status === 303 && hop.method !== 'HEAD') || (status < 303 && hop.method === 'POST');
  return becomesGet ? asGet(moved) : moved;
}

/** The hop at another origin: without what is meant for the one that is left, and with what is meant for the new one. */
function leave(hop: Hop, url: string, hostHeaders: HostHeaders | undefined): Hop {
  const { method, body } = hop;
  const wasEncrypted = hop.isDowngraded === true || hop.url.startsWith('https:');
  const isDowngraded = wasEncrypted && url.startsWith('http:');
  const portable = without(hop.portable ?? hop.headers, BOUND_TO_ORIGIN);
  const own = isDowngraded ? undefined : headersFor(hostHeaders, url);
  if (own === undefined) return { url, method, body, headers: portable, isDowngraded };
  return { url, method, body, headers: { ...portable, ...own }, portable, isDowngraded };
}

function asGet(hop: Hop): Hop {
  const portable = hop.portable === undefined ? {} : { portable: without(hop.portable, BODY_HEADERS) };
  const headers = without(hop.headers, BODY_HEADERS);
  return { ...hop, method: 'GET', body: undefined, headers, ...portable };
}

/** Servers send bytes: a Location outside ASCII is UTF-8 in practice, which arrives here as latin1. */
function resolveLocation(base: string, location: string): URL | undefined {
  const bytes = Buffer.from(location, 'latin1');
  const decoded = bytes.toString('utf8');
  const text = decoded.includes('\ufffd') ? location : decoded;
  try {
    // Not `URL.canParse`, which on Node 20 says no to all but ASCII once it has been optimised.
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

/** A Location without the credentials that may stand in it. */
function shown(location: string): string {
  const at = location.lastIndexOf('@');
  return printable(at === -1 ? location : `***${location.slice(at)}`, 200);
}

function withFragmentOf(from: string, target: URL): string {
  target.username = '';
  target.password = '';
  const fragment = from.indexOf('#');
  // A bare `#` is a fragment, too, though `hash` does not show it.
  if (fragment !== -1 && !target.href.includes('#')) target.hash = from.slice(fragment);
  return target.href;
}

function without(
  headers: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  if (!names.some((name) => name in headers)) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
