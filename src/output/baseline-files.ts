import { encodeRecord } from '../model/record.ts';
import { isNotFetched } from '../model/result.ts';
import type { FlakyHistory } from '../results/history.ts';
import type { Sink } from '../results/sink.ts';
import type { AtomicFile } from './atomic-file.ts';
import { listLine } from './failed-list.ts';
import { escapeJson } from './jsonl.ts';

interface BaselineFileOptions {
  /** Whether to write a list of URLs, as the old baseline is, instead of JSONL. */
  readonly asList: boolean;
  /** The method of a job that sets none. */
  readonly runMethod: string;
  /** Called at the end. The old baseline is kept if the run did not fetch the whole list. */
  readonly isComplete: () => boolean;
  /** Called at the end with the number of failures that were written; `undefined` if the old baseline was kept. */
  readonly onEnd?: (failures: number | undefined) => void;
}

/** `--update-baseline`: replaces the baseline with the failures of this run. */
export function baselineFileSink(file: AtomicFile, options: BaselineFileOptions): Sink {
  const { asList, runMethod, isComplete, onEnd } = options;
  let failures = 0;
  return {
    write(result) {
      if (result.ok || isNotFetched(result)) return undefined;
      failures += 1;
      const line = asList
        ? listLine(result, runMethod)
        : escapeJson(encodeRecord({ ...result, baseline: undefined }));
      return file.write(`${line}\n`);
    },
    async end() {
      const isWritten = isComplete();
      await (isWritten ? file.commit() : file.discard());
      onEnd?.(isWritten ? failures : undefined);
    },
  };
}

/** `--flaky-state FILE`: writes the number of consecutive bad runs per URL for the next run, one JSON object per line. */
export function flakyFileSink(file: AtomicFile, history: FlakyHistory, isComplete: () => boolean): Sink {
  return {
    write: () => undefined,
    async end() {
      for (const entry of history.entries(isComplete())) {
        await file.write(`${escapeJson(JSON.stringify(entry))}\n`);
      }
      await file.commit();
    },
  };
}
