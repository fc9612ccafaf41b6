import { sharedRecord } from '../model/record.ts';
import type { Sink } from '../results/sink.ts';
import { escapeJson } from './format.ts';
import type { LineOutput } from './line-writer.ts';

/** `--format jsonl`: the result record, one JSON object a line, in printable characters alone. */
export function jsonlSink(output: LineOutput): Sink {
  return {
    write: (result) => output.write(`${escapeJson(sharedRecord(result))}\n`),
    end: () => output.end(),
  };
}
