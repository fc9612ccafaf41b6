import { decodeRecord } from './decode-record.ts';
import { eachLine } from './each-line.ts';
import { decodeFrame, type Frame } from './frame.ts';
import type { Result } from './result.ts';

/** What a line of a file of results holds: a result, the place of those of a whole chunk, or why it is neither. */
export function decodeLine(line: string): Result | Frame | { readonly broken: string } {
  const record = decodeRecord(line);
  return 'broken' in record ? (decodeFrame(line) ?? record) : record;
}

/**
 * The results of several lines, the last of which may end in a newline, or `undefined` when one of them holds none, or there are
 * more than `most`.
 */
export function decodeRecords(text: string, most = Number.POSITIVE_INFINITY): readonly Result[] | undefined {
  const results: Result[] = [];
  const lines = text.endsWith('\n') ? text.slice(0, -1) : text;
  for (const line of eachLine(lines)) {
    const result = decodeRecord(line);
    if ('broken' in result || results.length >= most) return undefined;
    results.push(result);
  }
  return results;
}
