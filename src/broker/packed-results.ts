import { gzipSync } from 'node:zlib';
import { decodeRecord } from '../model/decode-record.ts';
import { encodeRecord } from '../model/record.ts';
import type { FailedResult, Result } from '../model/result.ts';
import { unpacked } from './chunk-jobs.ts';

const MAX_TEXT_BYTES = 512 * 1024 ** 2;

/**
 * Results as the body of a message of at most `maxBytes`. Where they are larger, the largest of them become failures that
 * say so.
 */
export function packResults(results: readonly Result[], maxBytes: number): Uint8Array {
  const lines = results.map(encodeRecord);
  const bySize = [...lines.keys()].sort((a, b) => (lines[b]?.length ?? 0) - (lines[a]?.length ?? 0));
  for (let replaced = 0, count = 1; ; replaced = count, count *= 2) {
    const body = gzipSync(lines.join('\n'), { level: 1 });
    if (body.length <= maxBytes || replaced >= lines.length) return body;
    for (const at of bySize.slice(replaced, count)) {
      const result = results[at];
      if (result !== undefined) lines[at] = encodeRecord(tooLarge(result, lines[at]?.length ?? 0, maxBytes));
    }
  }
}

/** The results of a message in the order of their indexes, with their lines, or `undefined` when any of it is damaged. */
export function unpackResults(
  body: Uint8Array,
): { readonly text: string; readonly results: readonly Result[] } | undefined {
  const text = unpacked(body, MAX_TEXT_BYTES);
  if (text === undefined || text === '') return undefined;
  const results: Result[] = [];
  const lines = text.split('\n');
  for (const line of lines) {
    const result = decodeRecord(line);
    if ('broken' in result) return undefined;
    results.push(result);
  }
  if (results.every(({ index }, at) => at === 0 || index > (results[at - 1]?.index ?? 0))) {
    return { text: `${text}\n`, results };
  }
  const pairs = results.map((result, at) => ({ result, line: lines[at] ?? '' }));
  pairs.sort((a, b) => a.result.index - b.result.index);
  return {
    text: pairs.map(({ line }) => `${line}\n`).join(''),
    results: pairs.map(({ result }) => result),
  };
}

function tooLarge(result: Result, characters: number, maxBytes: number): FailedResult {
  const { index, source, line, url, method, attempts, startedAt, durationMs, worker } = result;
  const message = `its record of ${characters} characters does not fit into a message of the broker, ${maxBytes} bytes`;
  const place = { index, source, line, url: url.slice(0, 2000), method };
  return {
    ...place,
    ok: false,
    attempts,
    redirects: [],
    bytes: result.bytes,
    truncated: result.truncated,
    startedAt,
    durationMs,
    failure: { kind: 'write', code: 'ERR_RECORD_SIZE', message },
    worker,
  };
}
