import type { FailedResult } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { escapeJson } from './jsonl.ts';
import type { LineOutput } from './line-writer.ts';

/**
 * A URL that is read back unchanged from a line of its own: not empty, without white space and quotes around it, not a comment
 * and not JSON. Without `##[`, which starts a command where GitHub Actions shows the list.
 */
const PLAIN_LINE = /^(?!.*##\[)(?![#{<"'])[\x21-\x7e]+$/;

/**
 * `--failed FILE`: the failed URLs as an input for `fanout fetch`. A URL with an id, another method than `runMethod`, or
 * anything from `requestOf` becomes a JSON job.
 *
 * @param runMethod the method of a job that sets none
 * @param requestOf returns what a job sets besides URL, method and id, without secrets
 */
export function failedListSink(
  output: LineOutput,
  runMethod = 'GET',
  requestOf?: (result: FailedResult) => object | undefined,
): Sink {
  return {
    write: (result) =>
      result.ok ? undefined : output.write(`${listLine(result, runMethod, requestOf?.(result))}\n`),
    end: () => output.end(),
  };
}

/** One line of the list, without its newline. */
export function listLine(result: FailedResult, runMethod: string, request?: object): string {
  const { method, id, failure } = result;
  // The `url` of an invalid line is made printable, which may be another URL.
  const url = failure.kind === 'invalid' ? (result.input ?? result.url) : result.url;
  const ownMethod = method === runMethod ? undefined : method;
  const hasMore = id !== undefined || ownMethod !== undefined || request !== undefined;
  if (!hasMore && PLAIN_LINE.test(url)) return url;
  return escapeJson(JSON.stringify({ url, method: ownMethod, id, ...request }));
}
