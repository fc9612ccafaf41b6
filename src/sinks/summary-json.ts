import type { Sink } from '../collect/sink.ts';
import { escapeJson } from './escape-json.ts';
import type { LineOutput } from './line-writer.ts';

/** `--summary json`: the summary as one JSON object on one line. */
export function summaryJsonSink(output: LineOutput): Sink {
  return {
    write: () => undefined,
    async end(summary) {
      await output.write(`${escapeJson(JSON.stringify(summary))}\n`);
      await output.end();
    },
  };
}
