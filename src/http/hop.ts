import type { Job } from '../model/job.ts';

/** What one hop sends. */
export interface Hop {
  readonly url: string;
  readonly method: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

/** What is sent for a job that does not say otherwise. */
export interface RequestDefaults {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

/** The method of a job's first hop: its own, POST for a body of its own, or the default. */
export function firstMethod({ method, body }: Job, defaults: RequestDefaults): string {
  return method ?? (body === undefined ? defaults.method : 'POST');
}

/** The first hop of a job: its own method, headers and body before the defaults. */
export function firstHop(job: Job, defaults: RequestDefaults): Hop {
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
