import type { BodyCaptureOptions } from '../bodies/body-capture.ts';
import type { BodyError } from '../bodies/body-sink.ts';
import { FileNamer } from '../bodies/file-name-template.ts';
import { FileSaver } from '../bodies/file-sink.ts';
import { SaveDirectory } from '../bodies/save-directory.ts';
import { expectationOf } from '../config/expectations.ts';
import type { RunOptions } from '../config/run-options.ts';
import type { TlsMaterial } from '../config/tls-files.ts';
import type { Clock } from '../core/clock.ts';
import { Scheduler } from '../core/scheduler.ts';
import { HostRegistry } from '../hosts/host-registry.ts';
import type { TotalRateLimiter } from '../hosts/rate-limiter.ts';
import { Agent } from '../http/agent.ts';
import { Connector } from '../http/connector.ts';
import { openResolver } from '../http/dns/resolver.ts';
import { ProxyRoutes } from '../http/proxy.ts';
import { denyPrivate } from '../http/ssrf-guard.ts';
import { TlsConnector } from '../http/tls.ts';
import { OutputError } from '../model/errors.ts';
import type { ProxySettings } from '../model/proxy-server.ts';
import { Fetcher, KeepingFetcher, type Step } from './fetcher.ts';
import type { RequestTask } from './request-task.ts';
import { ResponseValidator } from './response-validator.ts';

/** What the options say of each fetch: how long, how often, and which answers will do. */
function policyOf(options: RunOptions) {
  return {
    timeoutMs: options.timeout,
    maxBytes: options.maxSize,
    maxRedirects: options.maxRedirects,
    isDecoded: options.decompress,
    retries: options.retries,
    retryStatuses: options.retryOn.statuses,
    retriesNetworkFailures: options.retryOn.network,
    retriesAllMethods: options.retryAllMethods,
    headFallsBack: options.head,
    maxRetryAfterMs: options.maxRetryAfter,
  };
}

/** What makes an answer OK. */
function judgeOptionsOf(options: RunOptions) {
  const { accept, maxRedirects, blocked } = options;
  return { accept, maxRedirects, blocked, expectation: expectationOf(options) };
}

/** What Node, inputs, outputs, the journal and the name servers may need beside the connections to hosts. */
export const RESERVE = 64;
const MAX_IDLE = 256;

interface SocketNeeds {
  /** Workers that are wanted. */
  readonly workers: number;
  /** Files that each of them may have open beside its connection. */
  readonly filesEach: number;
  /** Files and sockets that the process may have open; `undefined` when nothing is known. */
  readonly fileLimit: number | undefined;
}

/** How many connections there may be. */
interface SocketBudget {
  /** Workers for which there is room, above 0. */
  readonly workers: number;
  /** Connections that are kept open without a request, over all hosts. */
  readonly maxIdle: number;
  /** Connections, those in use and those kept. */
  readonly maxOpen: number;
  /** The limit that has room for all that is wanted. */
  readonly wantedLimit: number;
}

/** Divides the files that a process may have open. Workers come first, idle connections get what they leave. */
export function socketBudget({ workers, filesEach, fileLimit }: SocketNeeds): SocketBudget {
  const maxIdle = Math.max(MAX_IDLE, workers);
  const wantedLimit = RESERVE + workers * (1 + filesEach) + maxIdle;
  if (fileLimit === undefined) return { workers, maxIdle, maxOpen: Number.POSITIVE_INFINITY, wantedLimit };
  const room = Math.max(1 + filesEach, fileLimit - RESERVE);
  const fitting = Math.min(workers, Math.floor(room / (1 + filesEach)));
  return { workers: fitting, maxIdle, maxOpen: room - fitting * filesEach, wantedLimit };
}

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
interface Network {
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
function openNetwork(parts: NetworkParts, sockets: SocketBudget): Network {
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
  const dialer = new Connector({
    resolver,
    secure: new TlsConnector({ ...parts.tls, insecure: options.insecure, http2: options.http2 }),
    // As with curl, what is allowed to servers or shown to them is not to the proxy.
    secureProxy: new TlsConnector({ ca: parts.tls.ca }),
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

/** Of a body that is not saved, in a run that saves others without a limit. */
const MAX_DROPPED_BYTES = 10 * 1024 ** 2;

/**
 * What is done with bodies as the options say; `undefined` when they are all dropped.
 *
 * @param onUnwritable called when no body can be saved any more
 * @throws OutputError when the directory for them cannot be used
 */
function openBodies(
  options: RunOptions,
  judge: ResponseValidator,
  onUnwritable: (error: OutputError) => void,
): BodyCaptureOptions | undefined {
  const { inlineBody, maxSize } = options;
  const saver = openSaver(options, onUnwritable);
  if (saver === undefined && inlineBody === undefined) return undefined;
  return {
    saver,
    inlineBytes: inlineBody,
    maxBytes: maxSize,
    maxDroppedBytes: Number.isFinite(maxSize) ? maxSize : MAX_DROPPED_BYTES,
    isFollowed: (job, status, headers) => judge.isFollowed(job, status, headers),
    mayBeOk: (job, status, headers) => judge.mayBeOk(job, status, headers),
    isSearched: (job) => judge.looksForText(job),
  };
}

function openSaver(options: RunOptions, onUnwritable: (error: OutputError) => void): FileSaver | undefined {
  const { saveDir, name, method } = options;
  if (saveDir === undefined || name === undefined) return undefined;
  const directory = openDirectory(saveDir);
  return new FileSaver({
    directory,
    names: new FileNamer({ template: name, defaultMethod: method }),
    keepsFailed: options.saveAll,
    resumes: options.resumePartial,
    hashes: options.hashesBodies,
    onUnwritable,
  });
}

/** Throws an `OutputError` when bodies cannot be saved where the options say. */
export function checkSaveDirectory({ saveDir }: RunOptions): void {
  if (saveDir !== undefined) openDirectory(saveDir);
}

function openDirectory(root: string): SaveDirectory {
  const directory = new SaveDirectory(root);
  try {
    directory.probe();
    return directory;
  } catch (error) {
    const { code, message } = error as BodyError; // `probe` throws nothing else
    const isFile = code === 'EEXIST' || code === 'ENOTDIR';
    throw new OutputError(isFile ? `${message}; --save-dir must be a directory` : message, { cause: error });
  }
}

interface OpenFetchingParts extends NetworkParts {
  /** What there is room for; its workers are the number of workers. */
  readonly sockets: SocketBudget;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called when no body can be saved any more. */
  readonly onUnwritable: (error: OutputError) => void;
  /** Jobs that the queue holds; `queue` of the options if left out. */
  readonly capacity?: number;
  /** Keeps the queue from ending. */
  readonly isHeld?: () => boolean;
  /** The pace of the requests to all hosts; of its own if left out. */
  readonly pace?: TotalRateLimiter | undefined;
}

/** The queue of a run, what is known of its hosts, and what sends its requests. */
export interface RunContext {
  readonly lanes: Scheduler<RequestTask>;
  readonly hosts: HostRegistry;
  readonly network: Network;
  readonly step: (task: RequestTask) => Promise<Step>;
}

/** Puts queue, hosts, network and bodies together as the options say. Throws an `OutputError` when no body can be saved. */
export function createRunContext(parts: OpenFetchingParts): RunContext {
  const { sockets, clock, random, onUnwritable, isHeld, pace } = parts;
  const options = { ...parts.options, concurrency: sockets.workers };
  const judge = new ResponseValidator(judgeOptionsOf(options));
  const bodies = openBodies(options, judge, onUnwritable);
  const network = openNetwork({ ...parts, options }, sockets);
  const hosts = hostsOf(options, pace);
  const { capacity = options.queue } = parts;
  const lanes = new Scheduler<RequestTask>({ capacity, clock, gate: hosts, ...(isHeld && { isHeld }) });
  const fetcher = new Fetcher({
    agent: network.agent,
    hosts,
    policy: policyOf(options),
    judge,
    proxies: network.proxies,
    hasMore: (lane) => lanes.hasMore(lane),
    now: clock.now,
    random,
  });
  const keeping = bodies === undefined ? fetcher : new KeepingFetcher(fetcher, bodies);
  return { lanes, hosts, network, step: (task) => keeping.step(task) };
}

function hostsOf(options: RunOptions, pace: TotalRateLimiter | undefined): HostRegistry {
  return new HostRegistry({
    perHost: options.perHost ?? options.concurrency,
    concurrency: options.concurrency,
    perMs: options.hostRate?.perMs ?? Number.POSITIVE_INFINITY,
    totalPerMs: options.rate?.perMs ?? Number.POSITIVE_INFINITY,
    pace,
    breaker: options.breaker,
    window: options.queue + options.concurrency,
  });
}
