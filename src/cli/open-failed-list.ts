import type { Sink } from '../collect/sink.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { failedListSink } from '../sinks/failed-list.ts';
import { LineWriter } from '../sinks/line-writer.ts';
import { openOutputFile } from '../sinks/output-stream.ts';
import type { OwnRequests } from './own-requests.ts';

export interface FailedListParts {
  readonly path: string;
  readonly options: ProgramOptions;
  /** What the jobs say of their requests. */
  readonly requests: OwnRequests;
  warn(text: string): void;
}

/** Opens the list of `--failed`, which tells at its end what is missing in it. */
export async function openFailedList({ path, options, requests, warn }: FailedListParts): Promise<Sink> {
  const output = new LineWriter(await openOutputFile(path), { name: path });
  const list = failedListSink(output, options.method, ({ index }) => requests.find(index));
  return {
    write(result) {
      const written = list.write(result);
      requests.drop(result.index);
      return written;
    },
    async end(summary) {
      await list.end(summary);
      const { leftOut } = requests;
      if (leftOut === '') return;
      const file = JSON.stringify(path);
      warn(`fanout: ${file} lacks headers of its jobs that may be secret, give them again: ${leftOut}\n`);
    },
  };
}
