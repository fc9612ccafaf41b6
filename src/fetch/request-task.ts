import type { NewsMark } from '../hosts/retry-policy.ts';
import type { SetCookies } from '../http/cookies.ts';
import { firstHop, firstMethod, type Hop, type HostHeaders, type RequestDefaults } from '../http/hop.ts';
import type { Peer } from '../http/tls.ts';
import type { Job } from '../model/job.ts';
import type { Redirect, Result } from '../model/result.ts';
import { hostOf } from '../model/url.ts';

/** How often a URL is given back at most because of its host. */
const MAX_GIVEN_BACK = 10;

const NO_COOKIES: readonly SetCookies[] = [];
const NO_REDIRECTS: readonly Redirect[] = [];

/** When the certificate of a host expires. */
interface CertificateEnd {
  readonly host: string;
  /** In the format of `Date.toISOString()`. */
  readonly validTo: string;
}

/** A job in the scheduler: as it was read, which takes a third of the memory, or as a task once it has been taken. */
export type ScheduledJob = Job | RequestTask;

/** The job of a scheduled one. */
export function jobOf(scheduled: ScheduledJob): Job {
  return scheduled instanceof RequestTask ? scheduled.job : scheduled;
}

/** The host that is asked next, with its port; empty for a job that is not sent. The scheduler and the limits go by it. */
export function nextHostOf(scheduled: ScheduledJob): string {
  return scheduled instanceof RequestTask ? scheduled.host : firstHost(scheduled);
}

function firstHost({ invalid, url }: Job): string {
  return invalid === undefined ? hostOf(url) : '';
}

/** A job in progress: the hop that is sent next, and what has happened so far. Passes the scheduler once for each hop. */
export class RequestTask {
  readonly job: Job;
  readonly #defaults: RequestDefaults;
  #hop: Hop | undefined;
  /** The host of the next hop, with its port; empty for an invalid job. The scheduler and the limits go by it. */
  host: string;
  attempts = 0;
  redirects = NO_REDIRECTS;
  /** Cookies that the responses of the attempt have set. */
  cookies = NO_COOKIES;
  /** Of the certificates that the servers of the attempt have shown, the one that expires first. */
  certificate: CertificateEnd | undefined = undefined;
  /** Start of the first attempt in ms since the epoch. */
  firstStartedAt = 0;
  /** Start of the current attempt in ms since the epoch. */
  startedAt = 0;
  /** Time in ms that the hops of the current attempt took. */
  elapsedMs = 0;
  /** Time in ms from the start of the attempt to the last response head. */
  ttfbMs: number | undefined = undefined;
  /** How often a server refused a request of this task without processing it. */
  refusals = 0;
  /** How often the outcome of a hop was lost. */
  losses = 0;
  /** Attempts that use up no retries, since their failure was that of the host. */
  givenBack = 0;
  /** Whether the last news of its host gave it back. */
  #isGivenBack = false;
  /** The last time that a host pushed it back or did not respond. */
  news: NewsMark | undefined = undefined;
  /** How often the server sent nothing when it was asked for the rest of a body. */
  failedResumes = 0;
  /** Whether the last hop, or one that led to it by redirects, asked for the rest of a body. */
  isResuming = false;
  /** Whether the response to the next hop is read by the lenient parser: the strict one refused it, or must not try. */
  isLenient = false;
  /** Whether the server refused HEAD, so that this attempt and later ones use GET. */
  isHeadRefused = false;
  /** Whether the next hop belongs to an attempt that has begun. */
  isInAttempt = false;
  /** The failure of the last attempt: the result if the run stops before the next one. */
  fallback: Result | undefined = undefined;
  /** When the machine ran out of descriptors, memory or ports for this task, if it has met nothing else since. */
  exhaustedSince: number | undefined = undefined;

  constructor(job: Job, defaults: RequestDefaults) {
    this.job = job;
    this.#defaults = defaults;
    this.host = firstHost(job);
  }

  /** The next hop. Made on demand, since thousands of tasks wait in the queue. */
  get hop(): Hop {
    this.#hop ??= this.#firstHop();
    return this.#hop;
  }

  /** The URL of the next hop. */
  get url(): string {
    return this.hop.url;
  }

  /** Attempts that use up retries: neither a HEAD that was refused nor those that say more about the host. */
  get countedAttempts(): number {
    return this.attempts - this.givenBack - (this.isHeadRefused ? 1 : 0);
  }

  /** The method of the first hop. */
  get method(): string {
    return firstMethod(this.job, this.#defaults);
  }

  /** Headers that are sent to one host only. */
  get hostHeaders(): HostHeaders | undefined {
    return this.#defaults.hostHeaders;
  }

  /** Begins an attempt with the first hop. */
  begin(now: number): void {
    this.attempts += 1;
    if (this.attempts === 1) this.firstStartedAt = now;
    this.startedAt = now;
    this.elapsedMs = 0;
    this.ttfbMs = undefined;
    this.isInAttempt = true;
  }

  /** Takes back the attempt, which could not be started, unless a hop of it was sent. */
  withdraw(): void {
    if (this.elapsedMs > 0) return;
    this.attempts -= 1;
    this.isInAttempt = false;
  }

  /** Records that the hop was sent; times in ms from its start. */
  recordHop(ttfbMs: number | undefined, durationMs: number): void {
    this.exhaustedSince = undefined;
    this.fallback = undefined;
    if (ttfbMs !== undefined) this.ttfbMs = this.elapsedMs + ttfbMs;
    this.elapsedMs += durationMs;
  }

  /** Records that the host pushed it back or did not respond. `isOfHost` if that says nothing about the URL. */
  recordNews(mark: NewsMark, isOfHost: boolean): void {
    this.news = mark;
    this.#isGivenBack = isOfHost && this.givenBack < MAX_GIVEN_BACK;
    if (this.#isGivenBack) this.givenBack += 1;
  }

  /** Records that the server refused the request without processing it. It is sent again in the same attempt. */
  refuse(): void {
    this.refusals += 1;
    if (this.#isGivenBack) this.givenBack -= 1;
  }

  /** Adds cookies that a response has set. They end with the attempt. */
  addCookies(cookies: SetCookies | undefined): void {
    if (cookies !== undefined) this.cookies = [...this.cookies, cookies];
  }

  /** Adds the certificate of the server that has responded to the hop, if it is known. */
  addCertificate(peer: Peer | undefined): void {
    const validTo = peer?.tls?.validTo;
    // For an http URL it is that of a proxy.
    if (validTo === undefined || !this.hop.url.startsWith('https:')) return;
    const isFirst = this.certificate === undefined || validTo < this.certificate.validTo;
    if (isFirst) this.certificate = { host: hostOf(this.hop.url), validTo };
  }

  /** Continues the attempt with the target of a redirect. */
  follow(hop: Hop, redirect: Redirect): void {
    this.redirects = [...this.redirects, redirect];
    this.#setHop(hop);
  }

  /** Ends the attempt with this failure; the next attempt starts with the first hop. */
  startOver(failure: Result): void {
    this.fallback = failure;
    this.isInAttempt = false;
    this.redirects = NO_REDIRECTS;
    this.cookies = NO_COOKIES;
    this.certificate = undefined;
    this.#hop = undefined;
    this.isLenient = false;
    this.host = hostOf(this.job.url);
  }

  #firstHop(): Hop {
    const hop = firstHop(this.job, this.#defaults);
    return this.isHeadRefused ? { ...hop, method: 'GET' } : hop;
  }

  #setHop(hop: Hop): void {
    this.#hop = hop;
    this.isLenient = false;
    this.host = hostOf(hop.url);
  }
}
