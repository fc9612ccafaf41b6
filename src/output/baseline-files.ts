import { encodeRecord } from '../model/record.ts';
import type { FlakyHistory } from '../results/flaky.ts';
import type { Sink } from '../results/sink.ts';
import type { AtomicFile } from './atomic-file.ts';
import { listLine } from './failed-list.ts';
import { escapeJson } from './format.ts';

/** `--state FILE`: leaves the bad runs in a row to the next run, one JSON object a line. */
export function flakyFileSink(file: AtomicFile, badRuns: FlakyHistory, isComplete: () => boolean): Sink {
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

interface BaselineFileOptions {
  /** Write a list of URLs, as the old one is, and not JSONL. */
  readonly asList: boolean;
  /** The method of a job that names none. */
  readonly runMethod: string;
  /** Asked at the end: a run that was cut short knows too little to be a baseline. */
  readonly isComplete: () => boolean;
}

/** `--update-baseline`: the failures of this run take the place of those of the baseline. */
export function baselineFileSink(file: AtomicFile, options: BaselineFileOptions): Sink {
  const { asList, runMethod, isComplete } = options;
  return {
    write(result) {
      if (result.ok) return undefined;
      const line = asList
        ? listLine(result, runMethod)
        : escapeJson(encodeRecord({ ...result, baseline: undefined }));
      return file.write(`${line}\n`);
    },
    end: () => (isComplete() ? file.commit() : file.discard()),
  };
}
