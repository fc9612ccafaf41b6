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
  { decompress, method, saveDir }: RunOptions,
): AsyncGenerator<Iterable<Task>> {
  const common = withCommonHeaders(defaults, decompress);
  const claims = saveDir === undefined ? undefined : new SaveClaims(() => new SeenKeys(), method);
  for await (const batch of jobs) {
    yield tasksIn(claims?.check(batch) ?? batch, common);
  }
}

function* tasksIn(jobs: Iterable<Job>, defaults: RequestDefaults): Generator<Task> {
  for (const job of jobs) yield new Task(job, defaults);
}

function withCommonHeaders(defaults: RequestDefaults, isDecoded: boolean): RequestDefaults {
  const coding = isDecoded ? { 'accept-encoding': ACCEPT_ENCODING } : {};
  return { ...defaults, headers: { accept: '*/*', ...coding, ...defaults.headers } };
}
