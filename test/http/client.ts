import { onTestFinished } from 'vitest';
import type { BodyInspector } from '../../src/bodies/body.ts';
import type { BodyCapture } from '../../src/bodies/body-capture.ts';
import { proxy } from '../../src/config/parse/server-urls.ts';
import { Agent } from '../../src/http/agent.ts';
import type { AttemptOutcome, AttemptRequest, BodyRules } from '../../src/http/attempt.ts';
import { Connector } from '../../src/http/connector.ts';
import { createResolver, Resolver } from '../../src/http/dns/resolver.ts';
import type { Hop } from '../../src/http/hop.ts';
import { ProxyRoutes } from '../../src/http/proxy.ts';
import type { SilenceLimits } from '../../src/http/silence-probe.ts';
import type { AddressPolicy } from '../../src/http/ssrf-guard.ts';
import { TlsConnector, type TlsConnectorOptions } from '../../src/http/tls.ts';
import { AgentTransport, type AgentTransportOptions, type Transport } from '../../src/http/transport.ts';
import type { Job } from '../../src/model/job.ts';
import { caPem } from '../origin/tls.ts';

export interface ClientOptions {
  /** The addresses of a name, instead of DNS. */
  readonly lookUp?: (hostname: string) => Promise<readonly string[]>;
  /** Limit of concurrent lookups (64). */
  readonly maxLookups?: number;
  readonly connectTimeoutMs?: number;
  /** The clock of the resolver in ms. */
  readonly lookupClock?: () => number;
  readonly maxIdle?: number;
  readonly maxOpen?: number;
  readonly silence?: SilenceLimits;
  readonly addressPolicy?: AddressPolicy;
  /** Options of TLS, added to the trusted test CA. */
  readonly tls?: TlsConnectorOptions;
  readonly proxies?: ProxyRoutes;
}

/** What a test does with the body of a response. */
export interface TestBodies {
  readonly capture: BodyCapture;
  readonly inspectorFor: (status: number) => BodyInspector;
  readonly needsBody: (status: number) => boolean;
}

class TestRules implements BodyRules {
  readonly #bodies: { readonly [Key in keyof TestBodies]: TestBodies[Key] | undefined };

  constructor(bodies: { readonly [Key in keyof TestBodies]: TestBodies[Key] | undefined }) {
    this.#bodies = bodies;
  }

  captureFor() {
    return this.#bodies.capture;
  }

  inspectorFor(_: AttemptRequest, status: number) {
    return this.#bodies.inspectorFor?.(status);
  }

  needsBody(_: AttemptRequest, status: number) {
    return this.#bodies.needsBody?.(status) ?? true;
  }
}

/** A job of which nothing matters. */
export const ANY_JOB: Job = { index: 0, source: 'test', line: 1, url: 'http://test/' };

/** The HTTP side as a test uses it: an agent that trusts the test CA, and one hop after the other. */
export interface Client {
  readonly agent: Agent;
  /** The transport of this agent, on the clock of the machine unless told otherwise. */
  transport(options?: Partial<AgentTransportOptions>): AgentTransport;
  send(
    url: string,
    hop?: Partial<Hop>,
    options?: Partial<AttemptRequest & AgentTransportOptions & TestBodies>,
  ): Promise<AttemptOutcome>;
}

/** A client whose connections are closed when the test has finished. */
export async function startClient(options: ClientOptions = {}): Promise<Client> {
  const now = () => performance.now();
  const {
    lookUp,
    connectTimeoutMs = 10_000,
    maxIdle = 100,
    maxOpen,
    silence,
    addressPolicy,
    proxies,
  } = options;
  const resolver =
    lookUp === undefined
      ? systemResolver(now)
      : fakeResolver(options.lookupClock ?? now, lookUp, options.maxLookups ?? 64);
  const agent = new Agent({
    connector: new Connector({
      resolver,
      connectTimeoutMs,
      tls: new TlsConnector({ ca: await caPem(), ...options.tls }),
      anonymousTls:
        options.tls?.cert === undefined
          ? undefined
          : new TlsConnector({ ca: await caPem(), ...options.tls, cert: undefined, key: undefined }),
      addressPolicy,
      proxies,
      proxyTls: new TlsConnector({ ca: await caPem() }),
    }),
    maxIdle,
    ...(maxOpen === undefined ? {} : { maxOpen }),
    ...(silence === undefined ? {} : { silence }),
  });
  onTestFinished(() => agent.destroy(new Error('the test has finished')));
  const transport = (more: Partial<AgentTransportOptions> = {}): AgentTransport =>
    new AgentTransport({
      ...{ agent, now, timeoutMs: 10_000, maxBytes: 1e6, decompresses: true, proxies },
      ...more,
    });
  return {
    agent,
    transport,
    send: (url, hop, { hop: _, elapsedMs = 0, capture, inspectorFor, needsBody, ...more } = {}) =>
      attempt(transport({ bodies: new TestRules({ capture, inspectorFor, needsBody }), ...more }), {
        job: ANY_JOB,
        ...more,
        elapsedMs,
        hop: { url: new URL(url).href, method: 'GET', headers: {}, ...hop },
      }),
  };
}

/** Sends a request, and resolves to its outcome. */
export function attempt(transport: Transport, request: AttemptRequest): Promise<AttemptOutcome> {
  return new Promise((resolve, reject) => {
    transport.attempt(request, (outcome, bug) => (outcome === undefined ? reject(bug) : resolve(outcome)));
  });
}

function systemResolver(now: () => number): Resolver {
  const dns = { overrides: [], servers: [], family: undefined, maxLookups: 64, timeoutMs: 10_000 };
  return createResolver({ ...dns, now, warn: () => {} });
}

function fakeResolver(
  now: () => number,
  lookUp: NonNullable<ClientOptions['lookUp']>,
  maxLookups: number,
): Resolver {
  return new Resolver({
    now,
    maxLookups,
    lookUp: async (hostname) => ({ addresses: await lookUp(hostname), ttlMs: 60_000 }),
  });
}

/** Routes through one proxy for both schemes, except to the hosts of `bypass`. The User-Agent of CONNECT is `test/1`. */
export function through(url: string, bypass = ''): ProxyRoutes {
  const server = proxy.parse(url) ?? undefined;
  return new ProxyRoutes({ http: server, https: server, bypass }, 'test/1');
}

/** The server, which is closed when the test has finished. */
export async function running<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  onTestFinished(() => server.close());
  return server;
}
