import { countJobs } from '../input/count-jobs.ts';
import type { Input } from '../input/input.ts';

/** How many jobs the inputs hold; `undefined` as soon as one of them is no regular file. */
export async function countInputs(
  inputs: readonly Input[],
  signal?: AbortSignal,
): Promise<number | undefined> {
  let total = 0;
  for (const input of inputs) {
    const count =
      input.kind === 'file' ? await countJobs(input.path, signal) : input.kind === 'url' ? 1 : undefined;
    if (count === undefined) return undefined;
    total += count;
  }
  return total;
}
