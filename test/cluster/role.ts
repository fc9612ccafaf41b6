import { onTestFinished } from 'vitest';
import { type CliResult, type CliRun, startCli } from '../origin/run-cli.ts';

const KILL_AFTER_MS = 240_000;

/** A role that fails is restarted, as by a service manager, until it has failed this often. */
const MAX_FAILURES = 10;

/** A process of a run, which is restarted whenever it was killed or has failed. */
export class Role {
  readonly #args: readonly string[];
  readonly #cwd: string;
  readonly #failures: string[] = [];
  readonly #ended: Promise<CliResult>;
  #end: (result: CliResult) => void = () => {};
  #run: CliRun | undefined;

  constructor(args: readonly string[], cwd: string) {
    this.#args = args;
    this.#cwd = cwd;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    onTestFinished(() => this.kill());
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
    const run = startCli(this.#args, { cwd: this.#cwd, killAfterMs: KILL_AFTER_MS });
    this.#run = run;
    run.done.then((result) => this.#onEnd(run, result)).catch(() => {});
  }

  async kill(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    run?.child.kill('SIGKILL');
    await run?.done.catch(() => {});
  }

  async restart(): Promise<void> {
    await this.kill();
    this.start();
  }

  #onEnd(run: CliRun, result: CliResult): void {
    if (this.#run !== run) return;
    if (result.code !== 0) this.#failures.push(result.stderr);
    if (result.code === 0 || this.#failures.length >= MAX_FAILURES) this.#end(result);
    else this.start();
  }
}
