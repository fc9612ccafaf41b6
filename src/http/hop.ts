import type { Job } from '../model/job.ts';
import { hostOf } from '../model/url.ts';

/** Headers for one host alone: by `host`, for every port of it, or by `host:port`. */
export type HostHeaders = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** The headers that are for the host of a serialised URL, if there are any; those for its port win. */
export function headersFor(
  table: HostHeaders | undefined,
  url: string,
): Readonly<Record<string, string>> | undefined {
  if (table === undefined) return undefined;
  const host = hostOf(url);
  const [, name = host, port = url.startsWith('https:') ? '443' : '80'] = /^(.*):(\d+)$/.exec(host) ?? [];
  const all = table.get(name);
  const own = table.get(`${name}:${port}`);
  return all === undefined || own === undefined ? (all ?? own) : { ...all, ...own };
}

type Headers = Readonly<Record<string, string>>;

/** What one hop sends. */
export interface Hop {
  readonly url: string;
  readonly method: string;
  /** By lower-case name. */
  readonly headers: Headers;
  readonly body?: string | Uint8Array | undefined;
  /** `headers` without those that are for this host alone; left out where there are none of these. */
  readonly portable?: Headers;
  /** A hop before this one was encrypted, and this one is not. */
  readonly isDowngraded?: boolean;
}

/** What is sent for a job that does not say otherwise. */
export interface RequestDefaults {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | Uint8Array | undefined;
  readonly hostHeaders?: HostHeaders | undefined;
}

/** The method of a job's first hop: its own, POST for a body of its own, or the default. */
export function firstMethod({ method, body }: Job, defaults: RequestDefaults): string {
  return method ?? (body === undefined ? defaults.method : 'POST');
}

/** The first hop of a job: its own method, headers and body before those for its host, and these before the defaults. */
export function firstHop(job: Job, defaults: RequestDefaults): Hop {
  const hop = plainHop(job, defaults);
  const own = headersFor(defaults.hostHeaders, job.url);
  if (own === undefined) return hop;
  return { ...hop, headers: { ...defaults.headers, ...own, ...job.headers }, portable: hop.headers };
}

function plainHop(job: Job, defaults: RequestDefaults): Hop {
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
