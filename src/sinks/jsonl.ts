import type { Sink } from '../collect/sink.ts';
import { sharedRecord } from '../model/shared-record.ts';
import { escapeJson } from './escape-json.ts';
import type { LineOutput } from './line-writer.ts';

/** `--format jsonl`: the result record, one JSON object a line, in printable characters alone. */
export function jsonlSink(output: LineOutput): Sink {
  return {
    write: (result) => output.write(`${escapeJson(sharedRecord(result))}\n`),
    end: () => output.end(),
  };
}
