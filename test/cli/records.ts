import { encodeRecord } from '../../src/model/record.ts';
import type { Result } from '../../src/model/result.ts';
import { aFile } from './an-origin.ts';

/** Encodes the results as lines of JSONL. */
export function lines(results: Iterable<Result>): string[] {
  return Array.from(results, encodeRecord);
}

/** A file of these results for the running test; resolves to its path. */
export function recordFile(results: Iterable<Result>, name = 'results.jsonl'): Promise<string> {
  return aFile(lines(results), name);
}
