import { type StopReason, stopText } from '../broker/run-stop.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { systemClock } from '../system-clock.ts';

export interface RunLimitsParts {
  readonly options: Pick<ProgramOptions, 'failFast' | 'maxFailures' | 'deadline'>;
  readonly collector: { stopRun(reason: StopReason, failures: () => number): void };
  /** Failures that have stopped the run before. */
  readonly earlier: number;
  readonly warn: (text: string) => void;
}

/** `--fail-fast`, `--max-failures` and `--deadline` of a run over several machines: the collector counts, and has the clock. */
export class RunLimits {
  readonly #parts: RunLimitsParts;
  #failures = 0;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(parts: RunLimitsParts) {
    this.#parts = parts;
  }

  /** The clock begins to run. */
  start(): void {
    const { deadline } = this.#parts.options;
    if (deadline === undefined) return;
    this.#cancel = systemClock.after(deadline, () => this.#stop({ cause: 'deadline', limit: deadline }));
  }

  /** Counts results that fail the run. */
  add(failures: number): void {
    const { options, earlier } = this.#parts;
    this.#failures += failures;
    const limit = options.failFast ? 1 : options.maxFailures;
    if (failures > 0 && limit !== undefined && this.#failures - earlier >= limit)
      this.#stop({ cause: 'failures', limit });
  }

  close(): void {
    this.#cancel();
  }

  #stop(reason: StopReason): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const { collector, warn } = this.#parts;
    warn(`the run is stopped ${stopText(reason)}: collecting what is under way`);
    collector.stopRun(reason, () => this.#failures);
  }
}
