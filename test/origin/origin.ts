import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { Gates } from './gates.ts';
import { type Listening, type ListenOptions, listen } from './listen.ts';
import { type LoggedRequest, RequestLog } from './request-log.ts';
import { answer, type OriginState, type Route } from './route.ts';
import { answerRoutes } from './routes-answer.ts';
import { bodyRoutes } from './routes-body.ts';
import { encodedRoutes } from './routes-encoded.ts';
import { redirectRoutes } from './routes-redirect.ts';

// | path                          | answer                                                                        |
// | ----------------------------- | ----------------------------------------------------------------------------- |
// | /ok                           | 200, `ok`                                                                     |
// | /status/N?reason=             | any status from 200 to 999, with its own reason phrase if wanted              |
// | /headers?name=value           | 200 with these response headers; a name may come twice                        |
// | /text?body=&type=&status=     | this body, with this content type and status                                  |
// | /echo                         | JSON of the request: method, url, headers, body                               |
// | /etag                         | ETag "one"; 304 when If-None-Match names it                                   |
// | /head-405, /head-501          | refuse HEAD with that status, answer everything else                          |
// | /bytes/N, /chunked/N          | N bytes of filler(N): with Content-Length, or chunked                         |
// | /gzip/N, /brotli/N, /deflate/N| filler(N), encoded                                                            |
// | /gzip-bomb                    | about 100 kB that decode to BOMB_BYTES                                        |
// | /gzip-truncated/N             | the first half of a gzip body                                                 |
// | /gzip-garbage/N               | says gzip, is plain                                                           |
// | /range/N?cut=K&etag=          | honours Range and If-Range; with `cut` the first answer breaks off after K    |
// | /redirect/N?status=           | N hops (302), then /ok                                                        |
// | /redirect-to?url=&status=     | one hop; without `url` no Location header                                     |
// | /loop                         | redirects to itself                                                           |
// | /flaky/KEY/N?status=&retry-after= | fails N times for each KEY (503), then 200                                |
// | /slow/MS                      | 200 after MS; for something to be in flight, never for asserting times        |
// | /gate/NAME?status=            | answers when the test calls `open(NAME)` or `letOne(NAME)`                    |
// | /hang                         | never answers: the gate `hang`                                                |
// | /half/NAME                    | head and 500 of 1000 bytes at once, the rest when gate NAME opens             |
// | anything else                 | 404; a mistyped argument: 400 that says why                                   |
const ROUTES = new Map<string, Route>(
  Object.entries({ ...answerRoutes, ...bodyRoutes, ...encodedRoutes, ...redirectRoutes }),
);

export interface OriginOptions extends ListenOptions {
  /** Certificate and key: the origin then speaks https. */
  readonly tls?: ServerOptions;
  /** Requests kept in `log` (the last 10,000); 0 keeps none and counts no paths, for benchmarks. */
  readonly logLimit?: number;
  /** Ends an idle connection after this time; 0 (default) never does. */
  readonly keepAliveTimeoutMs?: number;
}

/** A friendly HTTP/1.1 origin that counts what it sees. */
export class Origin {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly #listening: Listening;
  readonly #log: RequestLog;
  readonly #gates: Gates;

  constructor(protocol: string, listening: Listening, log: RequestLog, gates: Gates) {
    this.url = `${protocol}://${listening.authority}`;
    this.host = listening.host;
    this.port = listening.port;
    this.#listening = listening;
    this.#log = log;
    this.#gates = gates;
  }

  /** Requests received so far. */
  get requests(): number {
    return this.#log.total;
  }

  /** Requests that have no whole answer yet. */
  get inFlight(): number {
    return this.#log.inFlight;
  }

  /** The most requests that were in flight together. */
  get maxInFlight(): number {
    return this.#log.maxInFlight;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#listening.accepted.count;
  }

  /** The last requests received, oldest first. */
  get log(): readonly LoggedRequest[] {
    return this.#log.entries;
  }

  /** Requests for this path: with a query exactly these, without one whatever their query. */
  hits(path: string): number {
    return this.#log.hits(path);
  }

  /** Resolves when `count` requests in all were received. */
  received(count: number): Promise<void> {
    return this.#log.received(count);
  }

  /** Resolves when `count` connections in all have ended, by whichever side. */
  disconnected(count: number): Promise<void> {
    return this.#listening.ended.reached(count);
  }

  /** Opens a gate for good. */
  open(name: string): void {
    this.#gates.open(name);
  }

  /** Lets through the request that has waited longest at a gate; false when none waits. */
  letOne(name: string): boolean {
    return this.#gates.letOne(name);
  }

  /** Resolves when `count` requests in all (1) have arrived at a gate. */
  waiting(name: string, count = 1): Promise<void> {
    return this.#gates.arrived(name, count);
  }

  /** Resolves when `count` requests in all (1) left a gate because their connection ended. */
  abandoned(name: string, count = 1): Promise<void> {
    return this.#gates.abandoned(name, count);
  }

  /** Stops listening and destroys every open socket. */
  close(): Promise<void> {
    return this.#listening.close();
  }
}

/** Starts an origin; the table above says what its paths answer. */
export async function startOrigin(options: OriginOptions = {}): Promise<Origin> {
  const log = new RequestLog(options.logLimit ?? 10_000);
  const gates = new Gates();
  const state: OriginState = { gates, seen: new Map() };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    log.take(request, response);
    dispatch(request, response, state);
  };
  const server = options.tls ? createHttpsServer(options.tls, onRequest) : createServer(onRequest);
  server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 0;
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  const listening = await listen(server, options);
  return new Origin(options.tls ? 'https' : 'http', listening, log, gates);
}

function dispatch(request: IncomingMessage, response: ServerResponse, state: OriginState): void {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const [name = '', ...args] = path.slice(1).split('/');
  const route = ROUTES.get(name);
  try {
    if (route === undefined) answer(response, 404, 'not found\n');
    else
      route({
        request,
        response,
        args: args.map(decodeURIComponent),
        query: new URLSearchParams(mark === -1 ? '' : target.slice(mark)),
        state,
      });
  } catch (error) {
    response.statusMessage = '';
    answer(response, 400, `${error instanceof Error ? error.message : error}\n`);
  }
}
