import { expectedHeaders, isHarmlessHeader } from '../config/parse/headers.ts';
import { durationText } from '../config/parse/numbers.ts';
import { statusSet } from '../config/parse/status-sets.ts';
import { regexps } from '../config/parse/texts.ts';
import { JOB_KEYS, type Member, membersOf } from '../input/parse-job.ts';
import { redactedUrl } from '../input/parse-url.ts';
import type { Expectation } from '../model/expectation.ts';
import type { Job } from '../model/job.ts';
import type { FailedRequest, FailedResult } from '../model/result.ts';
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
 * anything from `customRequest` becomes a JSON job.
 *
 * @param runMethod the method of a job that sets none
 * @param customRequest returns what a job sets besides URL, method and id
 */
export function failedListSink(
  output: LineOutput,
  runMethod = 'GET',
  customRequest?: (result: FailedResult) => FailedRequest | undefined,
): Sink {
  return {
    write(result) {
      // A link to a file is not for a list of URLs.
      if (result.ok || result.url.startsWith('file:')) return;
      const { failure, input, method, id } = result;
      const { line, keys } = customRequest?.(result) ?? {};
      if (line !== undefined) return output.write(`${line}\n`);
      // The `url` of an invalid line is made printable, which may be another URL.
      const url = failure.kind === 'invalid' ? (input ?? result.url) : (remappedUrl(result) ?? result.url);
      return output.write(`${listLine({ url, method, id }, runMethod, keys)}\n`);
    },
    end: () => output.end(),
  };
}

/** The URL of the list, if another one was fetched instead: it will be again. */
function remappedUrl({ input, url }: FailedResult): string | undefined {
  const given = input === undefined ? undefined : withoutCredentials(input);
  return given === url ? undefined : given;
}

/** `undefined` if the text is not a URL. */
function withoutCredentials(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  url.username = '';
  url.password = '';
  return url.href;
}

/** One line of the list, without its newline. */
export function listLine(
  {
    url,
    method,
    id,
  }: { readonly url: string; readonly method?: string | undefined; readonly id?: string | undefined },
  runMethod: string,
  request?: object,
): string {
  const ownMethod = method === runMethod ? undefined : method;
  const hasMore = id !== undefined || ownMethod !== undefined || request !== undefined;
  if (!hasMore && PLAIN_LINE.test(url)) return url;
  return escapeJson(JSON.stringify({ url, method: ownMethod, id, ...request }));
}

/** What `--failed` repeats of a job besides URL, method and id, without secrets; `undefined` if there is nothing. */
export function failedRequest(job: Job): FailedRequest | undefined {
  if (job.given !== undefined) return maskedLine(job.given);
  const { headers = {}, body, save, expect } = job;
  const harmless = Object.entries(headers).filter(([name]) => isHarmlessHeader(name));
  const omitted = Object.keys(headers).filter((name) => !isHarmlessHeader(name));
  const isCustom = harmless.length > 0 || [body, save, expect].some((value) => value !== undefined);
  if (!isCustom && omitted.length === 0) return undefined;
  const { headers: _, ...rest } = job;
  const shown = harmless.length === 0 ? rest : { ...rest, headers: Object.fromEntries(harmless) };
  return {
    ...(isCustom && { keys: withJsonKey(requestOf(shown)) }),
    ...(omitted.length > 0 && { omitted }),
  };
}

/**
 * The line of an invalid JSON job without what may be secret: headers that are not harmless, and the values of unknown keys,
 * which become `null`. It stays invalid for the same reason, and never becomes another request.
 */
function maskedLine(given: string): FailedRequest {
  const omitted: string[] = [];
  const shown = (header: Member): string => {
    const name = header.key.toLowerCase();
    if (isHarmlessHeader(name)) return header.text;
    omitted.push(name);
    return 'null';
  };
  const members = membersOf(given).map(({ key, text }) => {
    const name = JSON.stringify(key);
    if (key === 'url' && text.startsWith('"')) {
      const url = String(JSON.parse(text));
      if (!url.includes('@')) return `${name}:${text}`;
      omitted.push('authorization');
      return `${name}:${JSON.stringify(withoutCredentials(url) ?? redactedUrl(url))}`;
    }
    if (key === 'headers' && text.startsWith('{')) {
      const inner = membersOf(text).map((header) => `${JSON.stringify(header.key)}:${shown(header)}`);
      return `${name}:{${inner.join(',')}}`;
    }
    return `${name}:${key !== 'headers' && JOB_KEYS.includes(key) ? text : 'null'}`;
  });
  return { line: escapeJson(`{${members.join(',')}}`), ...(omitted.length > 0 && { omitted }) };
}

/** Checks what came with a result over the broker. Returns `undefined` for anything else than what `failedRequest()` makes. */
export function toFailedRequest(value: unknown): FailedRequest | undefined {
  if (value === undefined) return undefined;
  const { keys, line, omitted, isTooLarge }: Record<string, unknown> = { ...Object(value) };
  if (typeof line === 'string' && !/^\{[^\r\n]*\}$/.test(line)) return undefined;
  const { headers, body, json, save, expect }: Record<string, unknown> = { ...Object(keys) };
  return {
    ...(typeof keys === 'object' && { keys: { headers, body, json, save, expect } }),
    ...(typeof line === 'string' && { line }),
    ...(Array.isArray(omitted) && { omitted: omitted.map(String) }),
    ...(isTooLarge === true && { isTooLarge }),
  };
}

/** The request of a job, as a JSON line of an input has it. */
export function encodeRequest(job: Job) {
  return { url: job.url, method: job.method, id: job.id, ...requestOf(job) };
}

/** The keys of a job beside URL, method and id, as a JSON line has them. */
export function requestOf({ headers, body, save, expect }: Job) {
  return { headers, body, save, expect: expect === undefined ? undefined : expectInput(expect) };
}

/** Replaces a JSON body and its content type by the key `json`, if that makes the same request. */
export function withJsonKey<T extends ReturnType<typeof requestOf>>(request: T): object {
  const { body, headers: { 'content-type': type, ...headers } = {}, ...rest } = request;
  if (typeof body !== 'string' || type !== 'application/json') return request;
  try {
    const json: unknown = JSON.parse(body);
    if (JSON.stringify(json) !== body) return request;
    return { ...(Object.keys(headers).length > 0 && { headers }), json, ...rest };
  } catch {
    return request;
  }
}

/** An expectation as a user writes it. */
function expectInput(expectation: Expectation): object {
  const { status, contains, notContains, matches, headers, maxTimeMs, finalUrl, sha256 } = expectation;
  return {
    // The status set of a job was made by `parseExpectation`.
    status: status === undefined ? undefined : statusSet.print(status as ReturnType<typeof statusSet.parse>),
    contains: contains.length === 0 ? undefined : contains,
    notContains: notContains.length === 0 ? undefined : notContains,
    matches: matches.length === 0 ? undefined : regexps.print(matches),
    header: headers.length === 0 ? undefined : expectedHeaders.print(headers),
    time: maxTimeMs === undefined ? undefined : durationText(maxTimeMs),
    finalUrl,
    sha256,
  };
}
