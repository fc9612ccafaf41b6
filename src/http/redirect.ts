import { printable } from '../model/printable.ts';
import { originOf } from '../model/url.ts';
import type { Hop } from './hop.ts';

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
 * Answers with a reason when the Location cannot be followed.
 */
export function nextHop(hop: Hop, status: number, location: string): Hop | { readonly refused: string } {
  if (location.trim() === '') return { refused: 'the Location is empty' };
  const target = resolveLocation(hop.url, location);
  if (target === undefined) return { refused: `the Location "${printable(location, 200)}" is no URL` };
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    return { refused: `the Location leads to "${target.protocol}"` };
  }
  const url = withFragmentOf(hop.url, target);
  const becomesGet = (status === 303 && hop.method !== 'HEAD') || (status < 303 && hop.method === 'POST');
  const kept = originOf(url) === originOf(hop.url) ? hop.headers : without(hop.headers, BOUND_TO_ORIGIN);
  if (!becomesGet) return { ...hop, url, headers: kept };
  return { url, method: 'GET', headers: without(kept, BODY_HEADERS) };
}

/** Servers send bytes: a Location outside ASCII is UTF-8 in practice, which arrives here as latin1. */
function resolveLocation(base: string, location: string): URL | undefined {
  const bytes = Buffer.from(location, 'latin1');
  const decoded = bytes.toString('utf8');
  const text = decoded.includes('\ufffd') ? location : decoded;
  return URL.canParse(text, base) ? new URL(text, base) : undefined;
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
