import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { serverCertificate } from '../origin/certificates.ts';
import { type Listening, listen } from '../origin/listen.ts';
import { Tally } from '../origin/tally.ts';

/** Responds to a stream. */
export type Http2Route = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

export interface Http2Origin extends Pick<Listening, 'accepted' | 'ended' | 'port'> {
  readonly url: string;
  /** Streams and HTTP/1.1 requests received so far. */
  readonly requests: Tally;
  /** Headers of the requests in order, with the version of HTTP as `version`. */
  readonly log: readonly (IncomingHttpHeaders & { readonly version: string })[];
}

/** Starts a server for HTTP/2, and HTTP/1.1 with `allowHTTP1`, which is closed when the test has finished. */
export async function startHttp2(
  routes: Readonly<Record<string, Http2Route>> = {},
  options: SecureServerOptions = {},
  onRequest: (socket: Duplex) => void = () => {},
): Promise<Http2Origin> {
  const requests = new Tally();
  const log: (IncomingHttpHeaders & { version: string })[] = [];
  const server = createSecureServer({ ...(await serverCertificate()), ...options });
  server.on('sessionError', () => {}); // many tests reset the session
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    log.push({ ...headers, version: '2.0' });
    if (stream.session !== undefined) onRequest(stream.session.socket);
    requests.add();
    const [path = ''] = `${headers[':path']}`.split('?');
    (routes[path] ?? respondOk)(stream, headers);
  });
  const respondHttp1 = (request: Http2ServerRequest, response: Http2ServerResponse) => {
    if (request.httpVersion === '2.0') return;
    onRequest(request.socket);
    log.push({ ...request.headers, version: request.httpVersion });
    requests.add();
    response.end('ok');
  };
  // Node calls it for HTTP/2 requests as well, which the streams respond to.
  if (options.allowHTTP1) server.on('request', respondHttp1);
  const listening = await listen(server, {});
  onTestFinished(() => listening.close());
  const { accepted, ended, port } = listening;
  return { url: `https://${listening.authority}`, accepted, ended, port, requests, log };
}

export function respondOk(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.end('ok');
}
