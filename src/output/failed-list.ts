import type { FailedResult } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { escapeJson } from './format.ts';
import type { LineOutput } from './line-writer.ts';

// A line of such a URL is read back as that URL: no white space to be trimmed, not empty, no comment, no JSON. And it
// holds no `##[`, which starts a command of GitHub Actions where the list is shown.
const PLAIN_LINE = /^(?!.*##\[)(?![#{])[\x21-\x7e]+$/;

/**
 * `--failed FILE`: the failed URLs as a list that `fanout fetch` reads back. A URL with more than itself becomes a JSON job:
 * an id, another method than the run's own, and what `requestOf` tells.
 *
 * @param runMethod the method of a job that names none
 * @param requestOf what a job has beside URL, method and id, fit to be shown
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

/** One line of such a list, without its newline. */
export function listLine({ url, method, id }: FailedResult, runMethod: string, request?: object): string {
  const ownMethod = method === runMethod ? undefined : method;
  const isMore = id !== undefined || ownMethod !== undefined || request !== undefined;
  if (!isMore && PLAIN_LINE.test(url)) return url;
  return escapeJson(JSON.stringify({ url, method: ownMethod, id, ...request }));
}
