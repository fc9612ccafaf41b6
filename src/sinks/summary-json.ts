import type { Sink } from '../collect/sink.ts';
import { escapeJson } from './escape-json.ts';
import type { LineOutput } from './line-writer.ts';

/** `--summary json`: the summary as one JSON object on one line. */
export function summaryJsonSink(output: LineOutput): Sink {
  return {
    write: () => undefined,
    async end(summary) {
      const wallMs = Math.round(summary.wallMs);
      const urlsPerSecond = Math.round(10 * summary.urlsPerSecond) / 10;
      await output.write(`${escapeJson(JSON.stringify({ ...summary, wallMs, urlsPerSecond }))}\n`);
      await output.end();
    },
  };
}
