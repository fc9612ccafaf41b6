import { onTestFinished } from 'vitest';
import { Agent } from '../../src/http/agent.ts';
import { type AttemptOptions, type AttemptOutcome, attempt } from '../../src/http/attempt.ts';
import { Connector } from '../../src/http/connector.ts';
import { openResolver, Resolver } from '../../src/http/dns/resolver.ts';
import type { Hop } from '../../src/http/hop.ts';
import type { ProxyRoutes } from '../../src/http/proxy.ts';
import type { AddressPolicy } from '../../src/http/ssrf-guard.ts';
import { TlsConnector, type TlsConnectorOptions } from '../../src/http/tls.ts';
import { caPem } from '../origin/tls.ts';

export interface ClientOptions {
  /** The addresses of a name, in place of DNS. */
  readonly lookUp?: (hostname: string) => Promise<readonly string[]>;
  readonly connectTimeoutMs?: number;
  readonly maxIdle?: number;
  readonly maxOpen?: number;
  readonly refuse?: AddressPolicy;
  /** How TLS connections are made, beside the CA that is trusted. */
  readonly secure?: TlsConnectorOptions;
  readonly proxies?: ProxyRoutes;
}

/** The HTTP side as a test uses it: an agent that trusts the test CA, and one hop after the other. */
export interface Client {
  readonly agent: Agent;
  send(url: string, hop?: Partial<Hop>, options?: Partial<AttemptOptions>): Promise<AttemptOutcome>;
}

/** A client whose connections are closed when the test has finished. */
export async function startClient(options: ClientOptions = {}): Promise<Client> {
  const now = () => performance.now();
  const { lookUp, connectTimeoutMs = 10_000, maxIdle = 100, maxOpen, refuse, proxies } = options;
  const resolver = lookUp === undefined ? systemResolver(now) : fakeResolver(now, lookUp);
  const agent = new Agent({
    dialer: new Connector({
      resolver,
      connectTimeoutMs,
      secure: new TlsConnector({ ca: await caPem(), ...options.secure }),
      refuse,
      proxies,
      secureProxy: new TlsConnector({ ca: await caPem() }),
    }),
    maxIdle,
    ...(maxOpen === undefined ? {} : { maxOpen }),
  });
  onTestFinished(() => agent.destroy(new Error('the test has finished')));
  return {
    agent,
    send: (url, hop, attemptOptions) =>
      attempt(
        { url: new URL(url).href, method: 'GET', headers: {}, ...hop },
        {
          ...{ agent, now, timeoutMs: 10_000, elapsedMs: 0, maxBytes: 1e6, isDecoded: true, proxies },
          ...attemptOptions,
        },
      ),
  };
}

function systemResolver(now: () => number): Resolver {
  const dns = { overrides: [], servers: [], family: undefined, concurrency: 32, timeoutMs: 10_000 };
  return openResolver({ ...dns, now, warn: () => {} });
}

function fakeResolver(now: () => number, lookUp: NonNullable<ClientOptions['lookUp']>): Resolver {
  return new Resolver({
    now,
    lookUp: async (hostname) => ({ addresses: await lookUp(hostname), ttlMs: 60_000 }),
  });
}

/** The server, which is closed when the test has finished. */
export async function running<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  onTestFinished(() => server.close());
  return server;
}
