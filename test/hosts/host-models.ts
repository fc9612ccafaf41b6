/** How a simulated server treats a request. Without a reply it never responds. */
export interface Reply {
  /** Time in ms until the head of the response, or until the connection fails. */
  readonly afterMs: number;
  /** 200 if left out. */
  readonly status?: number;
  readonly retryAfterS?: number;
  /** The connection fails instead. */
  readonly failure?: 'connect' | 'reset' | 'protocol' | 'dns' | 'refused';
}

/** The character of a host: what it does with a request at `now`, with `inFlight` requests in it, this one included. */
export type HostModel = (now: number, inFlight: number, path: string) => Reply | undefined;

/** Time in ms of a response that says no, or of a connection that is refused. */
const QUICK_MS = 5;

type Random = () => number;

/** 80 to 120 ms. */
export function healthy(random: Random, meanMs = 100): HostModel {
  return () => ({ afterMs: meanMs * (0.8 + 0.4 * random()) });
}

/** Log-normal around a median. */
export function logNormal(random: Random, medianMs: number, sigma = 0.5): HostModel {
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return { afterMs: medianMs * Math.exp(sigma * normal) };
  };
}

export interface PushBack {
  readonly status?: number;
  readonly retryAfterS?: number;
  /** `refused`: a stream of HTTP/2 that the server did not process. */
  readonly failure?: 'reset' | 'refused';
}

function pushedBack({ status = 503, ...how }: PushBack): Reply {
  return { afterMs: QUICK_MS, status, ...how };
}

/** Serves `cap` at once, and pushes others back. */
export function capped(cap: number | ((now: number) => number), how: PushBack, served: HostModel): HostModel {
  return (now, inFlight, path) => {
    const limit = typeof cap === 'number' ? cap : cap(now);
    return inFlight > limit ? pushedBack(how) : served(now, inFlight, path);
  };
}

/** A token bucket: `perS` requests per second, with bursts. */
export function tokenBucket(perS: number, burst: number, how: PushBack, served: HostModel): HostModel {
  let tokens = burst;
  let last = 0;
  return (now, inFlight, path) => {
    tokens = Math.min(burst, tokens + ((now - last) * perS) / 1000);
    last = now;
    if (tokens < 1) return pushedBack(how);
    tokens -= 1;
    return served(now, inFlight, path);
  };
}

/** `count` requests in each window of time; `how` may ask to wait until its end. */
export function fixedWindow(
  count: number,
  windowMs: number,
  saysWait: boolean,
  served: HostModel,
): HostModel {
  let current = -1;
  let used = 0;
  return (now, inFlight, path) => {
    const index = Math.floor(now / windowMs);
    if (index !== current) [current, used] = [index, 0];
    used += 1;
    if (used <= count) return served(now, inFlight, path);
    const leftS = Math.ceil(((index + 1) * windowMs - now) / 1000);
    return pushedBack({ status: 429, ...(saysWait ? { retryAfterS: leftS } : {}) });
  };
}

/** A queue before a number of servers: it never pushes back, and its latency grows with what is in flight. */
export function queueing(servers: number, serviceMs: number): HostModel {
  const freeAt = new Array<number>(servers).fill(0);
  return (now) => {
    const first = freeAt.indexOf(Math.min(...freeAt));
    const end = Math.max(now, freeAt[first] ?? 0) + serviceMs;
    freeAt[first] = end;
    return { afterMs: end - now };
  };
}

/** Does something else while `isDown` says so. */
export function sometimes(isDown: (now: number) => boolean, down: HostModel, up: HostModel): HostModel {
  return (now, inFlight, path) => (isDown(now) ? down : up)(now, inFlight, path);
}

/** A share of the requests is pushed back, whatever is in flight. */
export function flaky(random: Random, share: number, how: PushBack, served: HostModel): HostModel {
  return (now, inFlight, path) => (random() < share ? pushedBack(how) : served(now, inFlight, path));
}

/** Every `n`th request gets something else, as from a balancer that takes its servers in turn. */
export function inTurn(n: number, other: HostModel, most: HostModel): HostModel {
  let count = 0;
  return (...request) => {
    count += 1;
    return (count % n === 0 ? other : most)(...request);
  };
}

export const hanging: HostModel = () => undefined;
export const refusing: HostModel = () => ({ afterMs: 1, failure: 'connect' });
export const resetting: HostModel = () => ({ afterMs: QUICK_MS, failure: 'reset' });
export const refusingStreams: HostModel = () => ({ afterMs: QUICK_MS, failure: 'refused' });
export const garbage: HostModel = () => ({ afterMs: QUICK_MS, failure: 'protocol' });
export function always(status: number, retryAfterS?: number): HostModel {
  return () => pushedBack({ status, ...(retryAfterS === undefined ? {} : { retryAfterS }) });
}
