import { BodyError } from './bodies/body-error.ts';
import type { Asked } from './bodies/file-saver.ts';
import { type KeepOptions, KeptHop } from './bodies/kept-hop.ts';
import type { ResumePoint } from './bodies/resume-point.ts';
import type { Fetcher, Step } from './fetcher.ts';
import { addBody } from './http/results.ts';
import type { Task } from './http/task.ts';
import type { Result } from './model/result.ts';

/** A fetcher that keeps bodies: one of an answer that is kept is in its place before there is a result. */
export class KeepingFetcher {
  readonly #fetcher: Fetcher;
  readonly #options: KeepOptions;

  constructor(fetcher: Fetcher, options: KeepOptions) {
    this.#fetcher = fetcher;
    this.#options = options;
  }

  step(task: Task): Promise<Step> {
    if (task.job.invalid !== undefined) return this.#fetcher.step(task);
    const asked = { job: task.job, ...task.hop };
    const { saver, isSearched } = this.#options;
    // What is looked for may be in the beginning, which does not come again.
    const found = isSearched(task.job) ? undefined : saver?.find(asked);
    if (found === undefined) return this.#step(task, asked);
    return found.then((point) => this.#step(task, asked, point));
  }

  #step(task: Task, asked: Asked, point?: ResumePoint): Promise<Step> {
    const keep = new KeptHop(this.#options, asked, point);
    return this.#fetcher.step(task, keep).then(
      (step) => settled(task, step, keep),
      (error) => {
        keep.drop();
        throw error;
      },
    );
  }
}

/** Decides what becomes of the body, now that its answer is judged. */
function settled(task: Task, step: Step, keep: KeptHop): Step {
  if (!('result' in step) || keep.isToRepeat) {
    keep.drop();
    return 'result' in step ? { again: task, at: 0 } : step;
  }
  const { result } = step;
  try {
    const body = keep.end(result.ok, !result.truncated);
    if (body !== undefined) addBody(result, body);
    return step;
  } catch (error) {
    keep.drop();
    if (!(error instanceof BodyError)) throw error;
    return { result: refused(result, error) };
  }
}

function refused(result: Result, { kind, code, message }: BodyError): Result {
  const failure = { kind, ...(code === undefined ? {} : { code }), message };
  return { ...result, ok: false, warning: undefined, failure };
}
