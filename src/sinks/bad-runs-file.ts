import type { BadRuns } from '../collect/bad-runs.ts';
import type { Sink } from '../collect/sink.ts';
import { escapeJson } from './escape-json.ts';
import type { ReplacedFile } from './replaced-file.ts';

/** `--state FILE`: leaves the bad runs in a row to the next run, one JSON object a line. */
export function badRunsFileSink(file: ReplacedFile, badRuns: BadRuns, isComplete: () => boolean): Sink {
  return {
    write: () => undefined,
    async end() {
      for (const entry of badRuns.remembered(isComplete())) {
        await file.write(`${escapeJson(JSON.stringify(entry))}\n`);
      }
      await file.commit();
    },
  };
}
