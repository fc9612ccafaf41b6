import { encodeRecordCached } from '../model/record.ts';
import type { Sink } from '../results/sink.ts';
import type { LineOutput } from './line-writer.ts';

/** The characters that `printable()` escapes, except C0 controls, which `JSON.stringify` escapes. */
const UNPRINTABLE = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|#(?=#\[)/g;

/** Matches all text that may need an escape; most text is plain ASCII. */
const NOT_PLAIN = /[^\x20-\x7e]|##\[/;

/** `--format jsonl`: the record of each result, one JSON object per line, without unprintable characters. */
export function jsonlSink(output: LineOutput): Sink {
  return {
    write: (result) => output.write(`${escapeJson(encodeRecordCached(result))}\n`),
    end: () => output.end(),
  };
}

/**
 * Makes the output of `JSON.stringify` safe to show in a terminal: DEL, C1 controls, line separators and direction marks
 * become `\uXXXX`. They occur only within strings, so a parser reads the same values.
 */
export function escapeJson(json: string): string {
  if (!NOT_PLAIN.test(json)) return json;
  return json.replace(UNPRINTABLE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
