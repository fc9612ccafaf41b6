import { FileNamer } from '../bodies/file-name-template.ts';
import { findExisting } from '../bodies/file-sink.ts';
import { hostSetting, hostSettingOf } from '../config/host-settings.ts';
import type { RunOptions } from '../config/run-options.ts';
import type { TlsMaterial } from '../config/tls-files.ts';
import type { Clock } from '../core/clock.ts';
import type { Outcome } from '../core/pipeline.ts';
import type { Scheduler } from '../core/scheduler.ts';
import type { FetchedDocument } from '../documents/read-documents.ts';
import { HostRegistry } from '../hosts/host-registry.ts';
import { Agent } from '../http/agent.ts';
import { Connector, isDirected, type TlsConnectors, type TlsException } from '../http/connector.ts';
import type { CookieJar } from '../http/cookies.ts';
import { createResolver, maxConcurrentLookups } from '../http/dns/resolver.ts';
import { firstMethod, type Hop, type RequestDefaults } from '../http/hop.ts';
import { ProxyRoutes } from '../http/proxy.ts';
import { denyPrivate } from '../http/ssrf-guard.ts';
import { TlsConnector } from '../http/tls.ts';
import { AgentTransport, type Transport } from '../http/transport.ts';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import type { RunLog } from '../model/run-event.ts';
import type { ProxySettings } from '../model/url.ts';
import { UrlFilter } from '../model/url-filter.ts';
import { createBodyRules, createValidator, documentOptions } from './body-rules.ts';
import { Fetcher, type FetchPolicy } from './fetcher.ts';
import { divideSockets, type SocketBudget } from './process-resources.ts';
import type { RequestTask, ScheduledJob } from './request-task.ts';
import { crashedResult, existingResult, notFetchedResult } from './task-result.ts';

/** What the network of a run is made from. */
export interface NetworkParts {
  readonly options: RunOptions;
  readonly defaults: { readonly headers: Readonly<Record<string, string>> };
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
  /** Its `now` counts from the epoch. */
  readonly clock: Clock;
  /** Files and sockets that the process may have open, if known. */
  readonly fileLimit?: number | undefined;
  /** The cookies of the run, if it has a file for them. */
  readonly cookies?: CookieJar | undefined;
  /** Receives warnings that concern the whole run, one line each. */
  readonly warn?: (message: string) => void;
  /** Receives what `--verbose` shows. Nothing is computed for it if it is unset. */
  readonly log?: RunLog | undefined;
}

/** The connections of a run; warns if there are fewer workers than the options ask for. */
export function socketBudget({ options, fileLimit, warn }: NetworkParts): SocketBudget {
  const { concurrency } = options;
  const sockets = divideSockets({
    workers: concurrency,
    filesEach: options.saveDir === undefined ? 0 : 1,
    fileLimit,
  });
  if (sockets.workers < concurrency) {
    warn?.(
      `lowering --concurrency to ${sockets.workers}: open-file limit is ${fileLimit} (raise it with ulimit -n ${sockets.wantedLimit})`,
    );
  }
  return sockets;
}

/** The limits of all hosts. `concurrency` is the number of workers. */
export function createHosts(options: RunOptions, concurrency: number, log?: RunLog): HostRegistry {
  return new HostRegistry({
    perHost: options.perHost ?? concurrency,
    ...(options.hosts.size > 0 && { rulesFor: (host) => rulesFor(options, host) }),
    concurrency,
    perMs: options.hostRate?.perMs ?? Number.POSITIVE_INFINITY,
    totalPerMs: options.rate?.perMs ?? Number.POSITIVE_INFINITY,
    log,
    breakerThreshold: options.breaker,
    giveUpAfterMs: options.giveUpAfter,
    window: options.queueSize + concurrency,
  });
}

/** The rules of a host that `hosts` has other limits for. */
function rulesFor({ hosts }: RunOptions, host: string) {
  const perHost = hostSettingOf(hosts, host, 'perHost');
  const hostRate = hostSettingOf(hosts, host, 'hostRate');
  return {
    ...(perHost !== undefined && { perHost }),
    ...(hostRate !== undefined && { perMs: hostRate.perMs }),
  };
}

/** What a transport is made from, beside the network. */
export interface TransportNeeds {
  readonly sockets: SocketBudget;
  /** Called when the run cannot continue: no more bodies can be saved, or no thread is left. */
  readonly onFatal: (error: Error) => void;
}

/** Resolver, TLS, proxies and the one agent. */
export function createTransport(parts: NetworkParts, { sockets, onFatal }: TransportNeeds): AgentTransport {
  const { options, clock, tls } = parts;
  const resolver = createResolver({
    overrides: options.resolve,
    servers: options.dnsServer,
    family: toFamily(options),
    maxLookups: Math.ceil(maxConcurrentLookups(sockets.workers) / sockets.threads),
    timeoutMs: options.connectTimeout,
    now: clock.now,
    warn: (message) => parts.warn?.(message),
  });
  const { connectTo, unixSocket } = options;
  const proxies =
    parts.proxies &&
    new ProxyRoutes(parts.proxies, parts.defaults.headers['user-agent'], (target) =>
      isDirected(target, connectTo),
    );
  const connector = new Connector({
    resolver,
    ...createTls(tls, options, options.insecure),
    exception: tlsException(tls, options),
    // As in curl, --insecure and --cert are for servers, not for the proxy.
    proxyTls: new TlsConnector({ ca: tls.ca }),
    connectTo,
    unixSocket,
    proxies,
    connectTimeoutMs: options.connectTimeout,
    addressPolicy: options.denyPrivate ? denyPrivate : undefined,
  });
  return new AgentTransport({
    agent: new Agent({ connector, maxIdle: sockets.maxIdle, maxOpen: sockets.maxOpen }),
    proxies,
    timeoutMs: options.timeout,
    maxBytes: options.maxSize,
    decompresses: options.decompress,
    keepsPeer: keepsCertificates(options) || options.keeps.includes('address'),
    bodies: createBodyRules(options, onFatal),
    now: clock.now,
    onClose: () => resolver.close(),
  });
}

function keepsCertificates({ keeps, expectCertDays }: RunOptions): boolean {
  return keeps.includes('tls') || expectCertDays !== undefined;
}

function createTls(tls: TlsMaterial, options: RunOptions, insecure: boolean): TlsConnectors {
  const manner = { insecure, http2: options.http2, keepsCertificate: keepsCertificates(options) };
  return {
    tls: new TlsConnector({ ...tls, ...manner }),
    anonymousTls: tls.cert === undefined ? undefined : new TlsConnector({ ca: tls.ca, ...manner }),
  };
}

/** TLS with the hosts whose certificates are verified, or not, unlike those of all others. */
function tlsException(tls: TlsMaterial, options: RunOptions): TlsException | undefined {
  const { hosts, insecure } = options;
  const isOther = (own: boolean | undefined) => own !== undefined && own !== insecure;
  if (![...hosts.values()].some((settings) => isOther(settings.insecure))) return undefined;
  const appliesTo = (origin: string) => isOther(hostSetting(hosts, origin, 'insecure'));
  return { ...createTls(tls, options, !insecure), appliesTo };
}

function toFamily({ ipv4, ipv6 }: RunOptions): 4 | 6 | undefined {
  if (ipv4) return 4;
  return ipv6 ? 6 : undefined;
}

interface FetcherParts {
  readonly options: RunOptions;
  /** The cookies of the run. If unset, they are kept within a redirect chain, or not at all. */
  readonly cookies?: CookieJar | undefined;
  readonly hosts: HostRegistry;
  readonly scheduler: Pick<Scheduler<ScheduledJob>, 'hasMore'>;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log?: RunLog | undefined;
  readonly isStopping: () => boolean;
}

/** The state machine of a URL, as the options say. */
export function createFetcher(parts: FetcherParts): Fetcher {
  const { options, hosts, scheduler, transport, clock, random, log, isStopping } = parts;
  return new Fetcher({
    transport,
    hosts,
    policy: {
      ...toPolicy(options),
      cookies: parts.cookies ?? (options.cookies === false ? undefined : 'chain'),
    },
    validator: createValidator(options),
    keepsBodies: options.saveDir !== undefined,
    keeps: options.keeps,
    hasMore: (host) => scheduler.hasMore(host),
    isStopping,
    now: clock.now,
    random,
    log,
  });
}

function toPolicy(options: RunOptions): FetchPolicy {
  const filter = new UrlFilter(options);
  return {
    maxRedirects: options.maxRedirects,
    isLenient: !options.strict,
    headFallsBack: options.head,
    timeoutFor: timeoutFor(options),
    excludes: options.exclude.length === 0 ? undefined : (url) => filter.excludes(url),
    retries: options.retries,
    retryStatuses: options.retryOn.statuses,
    retriesNetworkFailures: options.retryOn.network,
    retriesAllMethods: options.retryAllMethods,
    maxRetryAfterMs: options.maxRetryAfter,
  };
}

/** The time limit of an attempt: the longest of the hosts in its chain of redirects. `undefined` if all hosts have that of the run. */
function timeoutFor({ hosts, timeout }: RunOptions): FetchPolicy['timeoutFor'] {
  if (![...hosts.values()].some((settings) => settings.timeout !== undefined)) return undefined;
  return ({ url, redirects }) => {
    const urls = [url, ...redirects.map((redirect) => redirect.url)];
    return Math.max(...urls.map((one) => hostSetting(hosts, one, 'timeout') ?? timeout));
  };
}

/** The result that is there before a job is fetched, given its first request. */
export type Recall = (job: Job, request: Hop) => Result | undefined;

interface RecallParts extends NetworkParts {
  readonly defaults: RequestDefaults;
  readonly recall?: Recall;
}

/** What finds the results that are there before a job is fetched; `undefined` if there can be none. */
export function createRecall(parts: RecallParts): Recall | undefined {
  const { options, recall, clock, defaults } = parts;
  const { saveDir, saveAs, skipExisting, method } = options;
  if (!skipExisting || saveDir === undefined || saveAs === undefined) return recall;
  const namer = new FileNamer({ template: saveAs, defaultMethod: method });
  return (job, request) => {
    const earlier = recall?.(job, request);
    if (earlier !== undefined || job.invalid !== undefined || job.isLocal === true) return earlier;
    // A file that must have a hash may have another one.
    if (request.method === 'HEAD' || job.expect?.sha256 !== undefined) return undefined;
    const body = findExisting(namer, saveDir, job);
    return body && existingResult(job, firstMethod(job, defaults), body, clock.now());
  };
}

/** What a document is requested with. */
export type DocumentRequest = Pick<Job, 'url' | 'headers'>;

/**
 * Documents that a list comes from, such as sitemaps. They are fetched by the run of the list, within the limits of the same
 * hosts, but a result goes to the caller of `fetch` and not to the results of the run. The index of their jobs is below 0.
 */
export class Documents {
  readonly #now: () => number;
  readonly #waiting = new Map<number, { readonly job: Job; readonly give: (result: Result) => void }>();
  #count = 0;
  #isStopped = false;

  /** @param now in ms since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Has a document fetched by `send`, and resolves to its result, which comes by `give`. */
  fetch(request: DocumentRequest, send: (job: Job) => void): Promise<Result> {
    this.#count += 1;
    const job: Job = { index: -this.#count, source: 'documents', line: 1, ...request };
    if (this.#isStopped) return Promise.resolve(this.#unfetched(job));
    return new Promise((give) => {
      this.#waiting.set(job.index, { job, give });
      send(job);
    });
  }

  give(result: Result): void {
    this.#waiting.get(result.index)?.give(result);
    this.#waiting.delete(result.index);
  }

  /** Gives a result to everybody who waits: nothing more is fetched. */
  stop(): void {
    this.#isStopped = true;
    for (const { job } of this.#waiting.values()) this.give(this.#unfetched(job));
  }

  #unfetched(job: Job): Result {
    return notFetchedResult(job, 'GET', this.#now());
  }
}

/** The state machine of a document. */
export function createDocumentFetcher(parts: FetcherParts): Fetcher {
  return createFetcher({ ...parts, options: documentOptions(parts.options) });
}

/** The defaults of a document. */
export function documentDefaults(defaults: RequestDefaults): RequestDefaults {
  return { ...defaults, method: 'GET', body: undefined };
}

/** Sends the next hop of a document. Its result goes to `give`, and not to the results of the run. */
export function stepDocument(
  fetcher: Fetcher,
  task: RequestTask,
  give: (result: Result) => void,
  settle: (outcome: Outcome<RequestTask, Result>) => void,
): void {
  fetcher.step(task, (step) => {
    if ('again' in step) settle(step);
    else {
      if ('result' in step) give(step.result);
      else if ('error' in step) give(crashedResult(task, step.error));
      settle({ isElsewhere: true });
    }
  });
}

/** A document of `--extract` as it was fetched. Throws an `InputError` that gives the reason if it cannot be fetched. */
export async function toDocument(result: Result): Promise<FetchedDocument> {
  const { finalUrl, url, contentType } = result;
  return { bytes: await documentOf(result), url: finalUrl ?? url, contentType };
}

/** A sitemap or another document as it was fetched. Throws an `InputError` that gives the reason if it cannot be fetched. */
export async function documentOf({ url, ok, failure, body }: Result): Promise<Uint8Array> {
  if (!ok) throw new InputError(`cannot read ${excerpt(url)}: ${failure.message}`);
  if (body?.buffer === undefined) throw new InputError(`cannot read ${excerpt(url)}: larger than 50mb`);
  return body.buffer;
}
