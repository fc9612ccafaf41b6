import type { ProgramOptions } from '../config/program-options.ts';
import type { FetchingMaker } from '../fetching.ts';

// All chunks of the program stand in `dist` itself, and so does the folder of this file there.
const WORKER = new URL('./threads/worker.js', import.meta.url);

/** What fetches in as many threads as the options say; nothing of it is loaded for one. */
export async function threadsOf({ threads }: ProgramOptions): Promise<FetchingMaker | undefined> {
  if (threads === 1) return undefined;
  const { threadedFetching } = await import('../threads/threaded-fetching.ts');
  return threadedFetching(threads, WORKER);
}
