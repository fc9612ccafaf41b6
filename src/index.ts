import { parseExpectation } from './config/expectations.ts';
import { type FanoutOptions as RunSettings, resolveRunOptions } from './config/library-options.ts';
import { toProxySettings } from './config/proxy-settings.ts';
import { createRequestTemplate } from './config/request-template.ts';
import { toTlsMaterial } from './config/tls-files.ts';
import { systemClock } from './core/clock.ts';
import { WorkerPool as BasePool, type WorkerPoolOptions } from './core/worker-pool.ts';
import { readFileLimit } from './fetch/file-limit.ts';
import { Run } from './fetch/run.ts';
import { type JobItem, readItems } from './input/read-jobs.ts';
import type { Result } from './model/result.ts';
import { packageVersion } from './model/version.ts';

export type { Duration, Size, StatusList } from './config/library-options.ts';
export type { JobOutcome, WorkerPoolOptions } from './core/worker-pool.ts';
export type { JobInput } from './input/parse-job.ts';
export type { JobItem } from './input/read-jobs.ts';
export { InputError, OutputError, UsageError } from './model/errors.ts';
export { FAILURE_KINDS, type Failure, type FailureKind } from './model/failure.ts';
export { encodeRecord } from './model/record.ts';
export type { FailedResult, KeptBody, OkResult, Redirect, Result } from './model/result.ts';

/** The options of `fanout()`. */
export interface FanoutOptions extends RunSettings {
  /** Aborts the run: requests in flight are ended, and the loop over the results throws the reason. */
  readonly signal?: AbortSignal | undefined;
  /** Where HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are read, such as `process.env`. Default: nowhere. */
  readonly proxyEnvironment?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Fetches URLs in bulk and gives each result as it finishes.
 *
 * - `urls` is read only while the queue has room, so it may be endless.
 * - Every URL ends in exactly one result; a failed one is a value with `ok: false`, and nothing is thrown for it.
 * - Leaving the loop ends all requests in flight.
 *
 *     for await (const result of fanout(['https://example.com/'], { concurrency: 8 })) {
 *       console.log(result.ok, result.status, result.url);
 *     }
 *
 * @throws UsageError at once, when an option is wrong
 */
export function fanout(
  urls: Iterable<JobItem> | AsyncIterable<JobItem>,
  options: FanoutOptions = {},
): AsyncGenerator<Result, void, void> {
  const { signal, proxyEnvironment = {}, ...settings } = options;
  const resolved = resolveRunOptions(settings, packageVersion());
  const { unique, defaultScheme, method } = resolved;
  const reading = new AbortController();
  const jobSettings = {
    unique,
    defaultScheme,
    parseExpectation,
    defaultMethod: method,
    signal: reading.signal,
  };
  const run = new Run({
    options: resolved,
    defaults: createRequestTemplate(resolved),
    tls: toTlsMaterial(resolved),
    proxies: toProxySettings(resolved, proxyEnvironment),
    jobs: readItems(urls, jobSettings, { read: 0, skipped: 0 }),
    clock: systemClock,
    random: Math.random,
    fileLimit: readFileLimit(),
    onStop: () => reading.abort(),
  });
  return untilAborted(run, signal);
}

async function* untilAborted(run: Run, signal: AbortSignal | undefined): AsyncGenerator<Result, void, void> {
  const abort = () => run.abort('the signal of the caller was aborted');
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const result of run.results()) {
      signal?.throwIfAborted();
      yield result;
    }
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener('abort', abort);
    run.stop();
  }
}

/** A worker pool that ends the process with a message if `submit` waits and the results are never read. */
export class WorkerPool<J, R> extends BasePool<J, R> {
  constructor(options: WorkerPoolOptions<J, R>) {
    super(options, process);
  }
}
