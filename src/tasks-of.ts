import { ACCEPT_ENCODING } from './bodies/decoder.ts';
import { SaveClaims } from './bodies/save-claims.ts';
import type { RunOptions } from './config/run-options.ts';
import type { RequestDefaults } from './http/hop.ts';
import { Task } from './http/task.ts';
import { SeenKeys } from './input/seen-keys.ts';
import type { Job } from './model/job.ts';

/** The tasks of a run, batch by batch, each made when it is asked for. */
export async function* tasksOf(
  jobs: AsyncIterable<Iterable<Job>>,
  defaults: RequestDefaults,
  options: RunOptions,
): AsyncGenerator<Iterable<Task>> {
  const common = withCommonHeaders(defaults, options);
  for await (const batch of claimedJobs(jobs, options)) yield tasksIn(batch, common);
}

/** The jobs of a run; one that asks for the file of another URL is invalid. */
export async function* claimedJobs(
  jobs: AsyncIterable<Iterable<Job>>,
  { method, saveDir }: RunOptions,
): AsyncGenerator<Iterable<Job>> {
  const claims = saveDir === undefined ? undefined : new SaveClaims(() => new SeenKeys(), method);
  for await (const batch of jobs) yield claims?.check(batch) ?? batch;
}

function* tasksIn(jobs: Iterable<Job>, defaults: RequestDefaults): Generator<Task> {
  for (const job of jobs) yield new Task(job, defaults);
}

/** What is sent for a job that does not say otherwise, with the headers that every request has. */
export function withCommonHeaders(defaults: RequestDefaults, { decompress }: RunOptions): RequestDefaults {
  const coding = decompress ? { 'accept-encoding': ACCEPT_ENCODING } : {};
  return { ...defaults, headers: { accept: '*/*', ...coding, ...defaults.headers } };
}
