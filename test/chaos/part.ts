import { setTimeout as pause } from 'node:timers/promises';
import { type CliResult, type CliRun, startCli } from '../origin/run-cli.ts';

const KILL_AFTER_MS = 300_000;

/** A part that ends by itself without being done is started again after this time, as by a service manager. */
const RESTART_DELAY_MS = 300;
const LONGEST_DELAY_MS = 3000;
const MAX_RESTARTS = 60;

interface PartSettings {
  readonly name: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Whether it is done when it has ended so. Otherwise it is started again. */
  readonly isDone: (result: CliResult) => boolean;
}

/** A process of a run, such as a worker. It is started again when it was killed or has failed, until it is done. */
export class Part {
  readonly name: string;
  readonly #settings: PartSettings;
  readonly #ends: CliResult[] = [];
  readonly #done: Promise<CliResult>;
  #setDone: (result: CliResult) => void = () => {};
  #bin: string | undefined;
  #cwd: string;
  #run: CliRun | undefined;
  #isLeft = false;

  constructor(settings: PartSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#cwd = settings.cwd;
    this.#done = new Promise((resolve) => {
      this.#setDone = resolve;
    });
  }

  /** Resolves when it is done, or has failed too often. */
  get done(): Promise<CliResult> {
    return this.#done;
  }

  /** Where it runs, and writes its files. */
  get cwd(): string {
    return this.#cwd;
  }

  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  /** What all starts of it have written to standard error. */
  get messages(): string {
    const ended = this.#ends.map(({ code, signal, stderr }) => `${stderr}(ended with ${code ?? signal})\n`);
    return `${ended.join('')}${this.#run?.stderr.text ?? ''}`;
  }

  /** What the last one that has ended has written to standard error. */
  get lastWords(): string {
    return this.#ends.at(-1)?.stderr ?? '';
  }

  start(): void {
    const bin = this.#bin === undefined ? {} : { bin: this.#bin };
    const run = startCli(this.#settings.args, { cwd: this.#cwd, killAfterMs: KILL_AFTER_MS, ...bin });
    this.#run = run;
    run.done.then((result) => this.#onEnd(run, result)).catch(() => {});
  }

  /** Ends it, at once or after SIGTERM in order. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    run.child.kill(signal);
    const result = await run.done.catch(() => undefined);
    if (result !== undefined) this.#ends.push(result);
  }

  /** Starts it again after `end()`; from now on in this directory, and as this program, if they are given. */
  startAs({ cwd = this.#cwd, bin }: { readonly cwd?: string; readonly bin?: string } = {}): void {
    this.#cwd = cwd;
    this.#bin = bin ?? this.#bin;
    this.start();
  }

  /** Stops it for a time: its connections stay open, and it does nothing. */
  async suspend(ms: number): Promise<void> {
    const child = this.#run?.child;
    child?.kill('SIGSTOP');
    await pause(ms);
    child?.kill('SIGCONT');
  }

  /** Resolves when it has written this to standard error since its last start. */
  async says(text: string): Promise<void> {
    await this.#run?.stderr.sees(text);
  }

  /** Ends it for good. */
  async leave(): Promise<void> {
    this.#isLeft = true;
    await this.end();
  }

  async #onEnd(run: CliRun, result: CliResult): Promise<void> {
    if (this.#run !== run) return;
    this.#run = undefined;
    this.#ends.push(result);
    if (this.#settings.isDone(result) || this.#ends.length > MAX_RESTARTS) return this.#setDone(result);
    await pause(Math.min(RESTART_DELAY_MS * this.#ends.length, LONGEST_DELAY_MS));
    if (!this.#isLeft && this.#run === undefined) this.start();
  }
}
