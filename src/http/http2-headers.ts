import type { OutgoingHttpHeaders } from 'node:http2';
import type { Dispatcher } from 'undici';

// Of HTTP/1.1 connections; HTTP/2 forbids them (RFC 9113, 8.2.2). `host` has become `:authority`.
const DROPPED: ReadonlySet<string> = new Set(['host', 'http2-settings', 'proxy-connection', 'te']);
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The headers of a request in HTTP/2, where method, path and host are headers, too. `bytes` are those of its body. */
export function http2Headers(request: Dispatcher.DispatchOptions, bytes: number): OutgoingHttpHeaders {
  const { origin, path, method } = request;
  const given = Object.entries(request.headers ?? {}) as [string, string][]; // what a `Hop` has
  const host = given.find(([name]) => name === 'host')?.[1];
  const length = bytes > 0 || WITH_BODY.has(method) ? { 'content-length': `${bytes}` } : {};
  return {
    ':method': method,
    ':scheme': 'https',
    ':authority': host ?? new URL(`${origin}`).host,
    ':path': path,
    ...Object.fromEntries(given.filter(([name]) => !DROPPED.has(name))),
    ...length,
  };
}
