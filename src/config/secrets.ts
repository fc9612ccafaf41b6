import type { Header, HostHeader } from './parse/headers.ts';

const MASK = '***';

// What may be shown is listed, and not what may not: services keep their keys in headers of any name.
const HARMLESS: ReadonlySet<string> = new Set([
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

/** Whether the value of a header is known to be no secret. */
export function isHarmlessHeader(name: string): boolean {
  return HARMLESS.has(name);
}

/**
 * Headers as lines, with `***` for every value that can be a secret: all but those of a few well-known names, where
 * these are not known to be secret all the same.
 */
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

/** Credentials of which nothing is left: the name alone can be a key, too. */
export function maskCredentials(): string {
  return `${MASK}:${MASK}`;
}

/** The length of a request body in place of it; a file is named. */
export function maskData(data: string): string {
  return data.startsWith('@') ? data : `${MASK} (${Buffer.byteLength(data)} bytes)`;
}
