import type { Sink } from '../collect/sink.ts';
import type { FailedResult } from '../model/result.ts';
import { escapeJson } from './escape-json.ts';
import type { LineOutput } from './line-writer.ts';

// A line of such a URL is read back as that URL: no white space to be trimmed, not empty, no comment, no JSON. And it
// holds no `##[`, which starts a command of GitHub Actions where the list is shown.
const PLAIN_LINE = /^(?!.*##\[)(?![#{])[\x21-\x7e]+$/;

/**
 * `--failed FILE`: the failed URLs as a list that `fanout fetch` reads back. A URL with an id, or with another
 * method than the run's own, becomes a JSON job; credentials, headers, body and expectations of a job are not
 * part of its result, so they are not in the list: the first two may be secret, and `--user` and `--header-for` give them again.
 *
 * @param runMethod the method of a job that names none
 */
export function failedListSink(output: LineOutput, runMethod = 'GET'): Sink {
  return {
    write: (result) => (result.ok ? undefined : output.write(`${listLine(result, runMethod)}\n`)),
    end: () => output.end(),
  };
}

/** One line of such a list, without its newline. */
export function listLine({ url, method, id }: FailedResult, runMethod: string): string {
  const ownMethod = method === runMethod ? undefined : method;
  if (id === undefined && ownMethod === undefined && PLAIN_LINE.test(url)) return url;
  return escapeJson(JSON.stringify({ url, method: ownMethod, id }));
}
