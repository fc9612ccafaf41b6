import { onTestFinished } from 'vitest';
import { startInProcess } from '../cli/run-in-process.ts';
import { type CliResult, type CliRun, startCli } from '../origin/run-cli.ts';

const KILL_AFTER_MS = 240_000;

/** A role that fails is restarted, as by a service manager, until it has failed this often. */
const MAX_FAILURES = 10;

type Launched = Pick<CliRun, 'stderr' | 'done'> & {
  /** Ends a process at once. */
  readonly kill?: () => void;
};

/** A part of a run, which is restarted whenever it was killed or has failed. */
export class Role {
  readonly #launch: () => Launched;
  readonly #failures: string[] = [];
  readonly #ended: Promise<CliResult>;
  #end: (result: CliResult) => void = () => {};
  #run: Launched | undefined;

  /** A process, with this working directory. */
  static process(args: readonly string[], cwd: string): Role {
    return new Role(() => {
      const { child, stderr, done } = startCli(args, { cwd, killAfterMs: KILL_AFTER_MS });
      return { stderr, done, kill: () => void child.kill('SIGKILL') };
    });
  }

  /** A part that is never killed, in the process of the test. */
  static inProcess(args: readonly string[]): Role {
    return new Role(() => {
      const { stderr, done } = startInProcess(args); // which ends it when the test has finished
      return { stderr, done };
    });
  }

  private constructor(launch: () => Launched) {
    this.#launch = launch;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves when it has ended with exit code 0, or has failed too often. */
  get ended(): Promise<CliResult> {
    return this.#ended;
  }

  /** The standard error of each time that it failed by itself. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Resolves when this is in its standard error since its last start. */
  async says(text: string): Promise<void> {
    await this.#run?.stderr.sees(text);
  }

  start(): void {
    const run = this.#launch();
    this.#run = run;
    run.done.then((result) => this.#onEnd(run, result)).catch(() => {});
    onTestFinished(() => this.#leave());
  }

  async kill(): Promise<void> {
    const run = this.#run;
    if (run !== undefined && run.kill === undefined) throw new Error('Only a process can be killed');
    this.#run = undefined;
    run?.kill?.();
    await run?.done.catch(() => {});
  }

  /** Ends it if it is a process, and restarts it no more. */
  async #leave(): Promise<void> {
    if (this.#run?.kill !== undefined) await this.kill();
    this.#run = undefined;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.start();
  }

  #onEnd(run: Launched, result: CliResult): void {
    if (this.#run !== run) return;
    if (result.code !== 0) this.#failures.push(result.stderr);
    if (result.code === 0 || this.#failures.length >= MAX_FAILURES) this.#end(result);
    else this.start();
  }
}
