import { stat } from 'node:fs/promises';
import { type Line, LineSplitter } from './line-splitter.ts';
import { openFile } from './open-file.ts';
import { isComment, jobText } from './parse-line.ts';
import { readChunks } from './read-chunks.ts';

/**
 * The number of job lines of a regular file, also of a gzip one: what is no blank line and no comment.
 * `undefined` when it is not a regular file, cannot be read to its end, or the signal is aborted.
 */
export async function countJobs(path: string, signal?: AbortSignal): Promise<number | undefined> {
  const splitter = new LineSplitter();
  let count = 0;
  try {
    if (!(await stat(path)).isFile()) return undefined;
    for await (const chunk of readChunks(await openFile(path, signal), path, signal)) {
      count += jobLines(splitter.push(chunk));
    }
  } catch {
    // The run itself reads the file too, and says what is wrong with it.
    return undefined;
  }
  return signal?.aborted ? undefined : count + jobLines(splitter.end());
}

function jobLines(lines: readonly Line[]): number {
  return lines.filter((line) =>
    typeof line === 'string' ? jobText(line) !== undefined : !isComment(line.start),
  ).length;
}
