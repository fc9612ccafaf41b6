import type { Header, HostHeader } from './parse/headers.ts';

const MASK = '***';

// A list of the headers that may be shown, not of those that may not: services put keys into headers of any name.
const HARMLESS_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'dnt',
  'if-modified-since',
  'pragma',
  'range',
  'upgrade-insecure-requests',
  'user-agent',
  'x-requested-with',
]);

/** Whether the value of a header, named in lower case, is never a secret. */
export function isHarmlessHeader(name: string): boolean {
  return HARMLESS_HEADERS.has(name);
}

/** Headers as lines, with `***` for every value unless the header is harmless and `isSecret` does not name it. */
export function maskHeaders(
  list: readonly Header[],
  isSecret: (name: string) => boolean = () => false,
): readonly string[] {
  return list.map(
    ({ name, value }) => `${name}: ${isHarmlessHeader(name) && !isSecret(name) ? value : MASK}`,
  );
}

/** Headers for one host each, as lines with `***` for every value. */
export function maskHostHeaders(list: readonly HostHeader[]): readonly string[] {
  return list.map(({ host, name }) => `${host} ${name}: ${MASK}`);
}

/** Hides the user name too: it may be a key. */
export function maskCredentials(): string {
  return `${MASK}:${MASK}`;
}

/** Shows the length of a request body, or the name of its file. */
export function maskData(data: string): string {
  return data.startsWith('@') ? data : `${MASK} (${Buffer.byteLength(data)} bytes)`;
}
