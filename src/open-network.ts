import type { RunOptions } from './config/run-options.ts';
import type { TlsMaterial } from './config/tls-material.ts';
import { denyPrivate } from './http/address-policy.ts';
import { Agent } from './http/agent.ts';
import { Dialer } from './http/dialer.ts';
import { openResolver } from './http/open-resolver.ts';
import { ProxyRoutes } from './http/proxy-routes.ts';
import { Secure } from './http/secure.ts';
import { type SocketBudget, socketBudget } from './http/socket-budget.ts';
import type { ProxySettings } from './model/proxy.ts';
import type { Clock } from './queue/clock.ts';

export interface NetworkParts {
  readonly options: RunOptions;
  readonly defaults: { readonly headers: Readonly<Record<string, string>> };
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
  /** Its `now` counts from the epoch. */
  readonly clock: Clock;
  /** Files and sockets that the process may have open, where that is known. */
  readonly fileLimit?: number | undefined;
  /** Told, in one line for people, what concerns the whole run. */
  readonly warn?: (message: string) => void;
}

/** The one agent of a run, and what stands behind it. */
export interface Network {
  readonly agent: Agent;
  readonly proxies: ProxyRoutes | undefined;
  /** Ends what is under way with this reason, and lets go of every connection. */
  close(reason: Error): void;
}

/** Lowers the number of workers to what the process may have open, and says so. */
export function socketsOf({ options, fileLimit, warn }: NetworkParts): SocketBudget {
  const { concurrency } = options;
  const sockets = socketBudget({
    workers: concurrency,
    filesEach: options.saveDir === undefined ? 0 : 1,
    fileLimit,
  });
  if (sockets.workers < concurrency) {
    warn?.(
      `--concurrency is lowered from ${concurrency} to ${sockets.workers}: no more than ${fileLimit} files and sockets may be open; "ulimit -n ${sockets.wantedLimit}" raises that`,
    );
  }
  return sockets;
}

/** Puts resolver, TLS, proxies and agent together as the options say. */
export function openNetwork(parts: NetworkParts, sockets: SocketBudget): Network {
  const { options, clock } = parts;
  const resolver = openResolver({
    overrides: options.resolve,
    servers: options.dnsServer,
    family: familyOf(options),
    concurrency: options.concurrency,
    timeoutMs: options.connectTimeout,
    now: clock.now,
    warn: (message) => parts.warn?.(message),
  });
  const proxies = parts.proxies && new ProxyRoutes(parts.proxies, parts.defaults.headers['user-agent']);
  const dialer = new Dialer({
    resolver,
    secure: new Secure({ ...parts.tls, insecure: options.insecure, http2: options.http2 }),
    // As with curl, what is allowed to servers or shown to them is not to the proxy.
    secureProxy: new Secure({ ca: parts.tls.ca }),
    proxies,
    connectTimeoutMs: options.connectTimeout,
    refuse: options.denyPrivate ? denyPrivate : undefined,
  });
  const agent = new Agent({ dialer, maxIdle: sockets.maxIdle, maxOpen: sockets.maxOpen });
  return {
    agent,
    proxies,
    close(reason) {
      agent.destroy(reason);
      resolver.close();
    },
  };
}

function familyOf({ ipv4, ipv6 }: RunOptions): 4 | 6 | undefined {
  if (ipv4) return 4;
  return ipv6 ? 6 : undefined;
}
