import { expectationOf } from './expectation.ts';
import type { RunOptions } from './run-options.ts';

/** What the options say of each fetch: how long, how often, and which answers will do. */
export function policyOf(options: RunOptions) {
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
export function judgeOptionsOf(options: RunOptions) {
  const { accept, maxRedirects, blocked } = options;
  return { accept, maxRedirects, blocked, expectation: expectationOf(options) };
}
