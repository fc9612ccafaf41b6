/** Where workers get their jobs: `undefined` means that there will be no more. */
export interface JobQueue<J extends object> {
  take(): J | undefined | Promise<J | undefined>;
}

/**
 * The pool: `concurrency` loops over one queue, each of which takes a job, works on it and comes back for more.
 * Resolves when the queue has ended and every worker has finished. `work` must not reject; if it does, so does this.
 */
export async function runWorkers<J extends object>(
  concurrency: number,
  queue: JobQueue<J>,
  work: (job: J) => Promise<void>,
): Promise<void> {
  const worker = async () => {
    for (let job = await queue.take(); job !== undefined; job = await queue.take()) await work(job);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
