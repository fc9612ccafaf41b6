import { gzipSync } from 'node:zlib';
import { decodeRecords } from '../model/decode-line.ts';
import { MAX_FRAME_BYTES } from '../model/frame.ts';
import { encodeRecord } from '../model/record.ts';
import type { FailedResult, Result } from '../model/result.ts';
import { unpacked } from './chunk-jobs.ts';

const MAX_TEXT_BYTES = 512 * 1024 ** 2;

/**
 * Results as one member of gzip, a line each in the order of their indexes, of at most `maxBytes`. Where they are larger, the largest of them become failures
 * that say so. No more than `MAX_FRAME_BYTES` characters are put together.
 */
export function packResults(unsorted: readonly Result[], maxBytes: number): Uint8Array {
  const results = unsorted.toSorted((a, b) => a.index - b.index);
  const lines = results.map(encodeRecord);
  const bySize = [...lines.keys()].sort((a, b) => (lines[b]?.length ?? 0) - (lines[a]?.length ?? 0));
  for (let replaced = 0, count = 1; ; replaced = count, count *= 2) {
    const isShortest = replaced >= lines.length;
    if (isShortest || charactersOf(lines) <= MAX_FRAME_BYTES) {
      const body = gzipSync(`${lines.join('\n')}\n`, { level: 1 });
      if (isShortest || body.length <= maxBytes) return body;
    }
    for (const at of bySize.slice(replaced, count)) {
      const result = results[at];
      if (result !== undefined) lines[at] = encodeRecord(tooLarge(result, lines[at]?.length ?? 0, maxBytes));
    }
  }
}

/**
 * The results of a message in the order of their indexes, with their lines, or `undefined` when any of it is damaged or there are
 * more than `most`.
 */
export function unpackResults(
  body: Uint8Array,
  most = Number.POSITIVE_INFINITY,
): { readonly text: string; readonly results: readonly Result[] } | undefined {
  const text = unpacked(body, MAX_TEXT_BYTES);
  const results = text === undefined ? undefined : decodeRecords(text, most);
  if (text === undefined || results === undefined) return undefined;
  if (results.every(({ index }, at) => at === 0 || index > (results[at - 1]?.index ?? 0))) {
    return { text: text.endsWith('\n') ? text : `${text}\n`, results };
  }
  const lines = text.split('\n');
  const pairs = results.map((result, at) => ({ result, line: lines[at] ?? '' }));
  pairs.sort((a, b) => a.result.index - b.result.index);
  return {
    text: pairs.map(({ line }) => `${line}\n`).join(''),
    results: pairs.map(({ result }) => result),
  };
}

function charactersOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}

function tooLarge(result: Result, characters: number, maxBytes: number): FailedResult {
  const { index, source, line, url, method, attempts, startedAt, durationMs, worker } = result;
  const message = `its record of ${characters} characters does not fit: all results of a chunk may have ${maxBytes} bytes`;
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
