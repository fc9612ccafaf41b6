import type { Job } from '../model/job.ts';
import { hostKeys } from '../model/url.ts';

type Headers = Readonly<Record<string, string>>;

/** The request of one hop: a URL, and what is sent to it. */
export interface Hop {
  readonly url: string;
  readonly method: string;
  /** By lower-case name. */
  readonly headers: Headers;
  readonly body?: string | Uint8Array | undefined;
  /** `headers` without those that are for this host only; left out if they are the same. */
  readonly portable?: Headers;
  /** A redirect has led from https to http, in this hop or before. */
  readonly isDowngraded?: boolean;
  /** A redirect has led to another origin, in this hop or before: no client certificate is shown. */
  readonly hasLeftOrigin?: boolean;
}

/** What is sent unless the job says otherwise. */
export interface RequestDefaults {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | Uint8Array | undefined;
  readonly hostHeaders?: HostHeaders | undefined;
}

/** The first hop of a job. Headers of the job go before those of its host, and these before the defaults. */
export function firstHop(job: Job, defaults: RequestDefaults): Hop {
  const hop = portableHop(job, defaults);
  const own = headersFor(defaults.hostHeaders, job.url);
  if (own === undefined) return hop;
  return { ...hop, headers: { ...defaults.headers, ...own, ...job.headers }, portable: hop.headers };
}

function portableHop(job: Job, defaults: RequestDefaults): Hop {
  const { method, headers, body } = job;
  if (method === undefined && headers === undefined && body === undefined) {
    return { url: job.url, method: defaults.method, headers: defaults.headers, body: defaults.body };
  }
  return {
    url: job.url,
    method: firstMethod(job, defaults),
    headers: headers === undefined ? defaults.headers : { ...defaults.headers, ...headers },
    body: body ?? defaults.body,
  };
}

/** The method of a job's first hop: its own, POST if it has a body, or the default. */
export function firstMethod({ method, body }: Job, defaults: RequestDefaults): string {
  return method ?? (body === undefined ? defaults.method : 'POST');
}

/** Headers that are sent to some hosts only: by `host` for all its ports, by `host:port`, or by `*.domain` with or without a port. */
export type HostHeaders = ReadonlyMap<string, Headers>;

/** The headers for the host of a serialised URL, if any. The more specific override the others. */
export function headersFor(table: HostHeaders | undefined, url: string): Headers | undefined {
  if (table === undefined) return undefined;
  let found: Headers | undefined;
  for (const key of hostKeys(url)) {
    const headers = table.get(key);
    if (headers !== undefined) found = { ...headers, ...found };
  }
  return found;
}
