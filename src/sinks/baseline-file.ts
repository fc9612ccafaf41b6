import type { Sink } from '../collect/sink.ts';
import { encodeRecord } from '../model/record.ts';
import { escapeJson } from './escape-json.ts';
import { listLine } from './failed-list.ts';
import type { ReplacedFile } from './replaced-file.ts';

export interface BaselineFileOptions {
  /** Write a list of URLs, as the old one is, and not JSONL. */
  readonly asList: boolean;
  /** The method of a job that names none. */
  readonly runMethod: string;
  /** Asked at the end: a run that was cut short knows too little to be a baseline. */
  readonly isComplete: () => boolean;
}

/** `--update-baseline`: the failures of this run take the place of those of the baseline. */
export function baselineFileSink(file: ReplacedFile, options: BaselineFileOptions): Sink {
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
