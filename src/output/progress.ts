import type { Writable } from 'node:stream';
import cliProgress from 'cli-progress';
import type { Sink } from '../results/sink.ts';
import { formatDuration } from './format.ts';

const MIN_BAR_LENGTH = 10;
const MAX_BAR_LENGTH = 30;

/** The period over which a rate is measured, and the minimum distance of its samples. */
const RATE_WINDOW_MS = 10_000;
const SAMPLE_INTERVAL_MS = 100;

/** The counts that the bar shows. */
export interface Progress {
  /** Finished URLs, including skipped ones. */
  readonly done: number;
  /** Those of `done` whose result comes from the journal: they say nothing about the speed. */
  readonly resumed?: number;
  /** Unset until the whole input is read. */
  readonly total?: number | undefined;
  readonly ok: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Whether nothing more is started, since the run was interrupted or has reached a limit. */
  readonly isStopping?: boolean;
}

/** The echo of Ctrl-C, pressed twice, and the last column, since some terminals wrap a full line. */
const ROOM = '^C^C'.length + 1;

/** A stream that may be a terminal. */
type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * The progress bar: drawn ten times per second on a terminal, otherwise a plain line every two seconds. `end` removes it.
 * Code that writes lines to the same terminal calls `clear` before and `redraw` after each write.
 *
 * @param progress returns the current counts
 * @param clock returns monotonic time in ms
 * `isDumb`: the terminal knows no escape sequences (`TERM=dumb`), so it gets plain lines.
 */
export class ProgressBar implements Sink {
  readonly #terminal: BarTerminal;
  readonly #bar: cliProgress.SingleBar;

  constructor(
    stream: TerminalStream,
    progress: () => Progress,
    clock: () => number,
    { isDumb = false }: { readonly isDumb?: boolean } = {},
  ) {
    this.#terminal = new BarTerminal(stream, isDumb);
    const rate = new MovingRate();
    const options = {
      terminal: this.#terminal,
      stream,
      noTTYOutput: true,
      forceRedraw: true,
      clearOnComplete: true,
      linewrap: true,
      format: (options: cliProgress.Options, { maxWidth }: cliProgress.Params) => {
        const now = progress();
        return barLine(
          now,
          rate.update(clock(), now.done - (now.resumed ?? 0)),
          maxWidth,
          (fraction, length) => cliProgress.Format.BarFormat(fraction, { ...options, barsize: length }),
        );
      },
    };
    this.#bar = new UnrefBar(options);
    // A closed terminal ends the bar, not the run.
    stream.on('error', this.#stop);
  }

  start(): void {
    this.#bar.start(0, 0);
  }

  /** Removes the bar from the terminal until the next `redraw()` or timer tick. */
  readonly clear = (): void => this.#terminal.clearLine();

  /** Draws the bar again, with the counts of the lines above it. */
  readonly redraw = (): void => {
    if (this.#bar.isActive && this.#terminal.isTTY()) this.#bar.render();
  };

  /** Does nothing: the timer draws often enough. */
  write(): void {}

  end(): void {
    this.#stop();
  }

  readonly #stop = (): void => this.#bar.stop();
}

/** The bar of cli-progress with a timer that does not keep the process alive. */
class UnrefBar extends cliProgress.SingleBar {
  declare timer: NodeJS.Timeout | null;

  override render(): void {
    super.render();
    this.timer?.unref();
  }
}

/**
 * The terminal that cli-progress draws on, instead of its own one. That saves and restores the cursor position, and so
 * overwrites result lines at the end when lines have scrolled.
 */
class BarTerminal {
  readonly #stream: TerminalStream;
  readonly #isDumb: boolean;
  #isVisible = false;

  constructor(stream: TerminalStream, isDumb: boolean) {
    this.#stream = stream;
    this.#isDumb = isDumb;
  }

  isTTY(): boolean {
    return this.#stream.isTTY === true && !this.#isDumb;
  }

  getWidth(): number {
    return Math.max(20, (this.#stream.columns || 80) - ROOM);
  }

  /** Draws a text, unless the terminal is too slow. */
  write(text: string): void {
    if (this.#stream.writableNeedDrain || this.#stream.destroyed) return;
    this.#isVisible = true;
    this.#stream.write(this.isTTY() ? `\r${text}\x1b[K` : text);
  }

  clearLine(): void {
    if (!this.#isVisible || !this.isTTY() || this.#stream.destroyed) return;
    this.#isVisible = false;
    this.#stream.write('\r\x1b[K');
  }

  newline(): void {
    this.#stream.write('\n');
  }

  // cli-progress calls these, too. They do nothing, so that a killed run leaves no hidden cursor or disabled line wrap.
  cursorSave(): void {}
  cursorRestore(): void {}
  cursorTo(): void {}
  clearRight(): void {}
}

/**
 * The text of the bar, at most `width` long: ` 12% [===-------] 12/100  OK 11  FAIL 1  8.0/s  ETA 11s  4 in flight`.
 *
 * @param rate finished URLs per second
 * @param drawBar draws a bar of `length` for a fraction from 0 to 1
 */
export function barLine(
  progress: Progress,
  rate: number,
  width: number,
  drawBar: (fraction: number, length: number) => string,
): string {
  const { done, total, ok, failed, inFlight, isStopping = false } = progress;
  const counts = [`OK ${ok}`, `FAIL ${failed}`, `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`];
  const inFlightText = `${inFlight} in flight`;
  const state = isStopping ? ['stopping'] : [];
  if (total === undefined) return joinFitting([`${done} done`, ...counts, ...state, inFlightText], width);
  const fraction = total > 0 ? Math.min(1, done / total) : 1;
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const end = isStopping ? 'stopping' : `ETA ${timeLeft(total - done, rate)}`;
  const fields = [`${done}/${total}`, ...counts, end, inFlightText];
  const text = joinFitting(fields, width - percent.length - 1);
  const length = Math.min(MAX_BAR_LENGTH, width - percent.length - text.length - 4);
  const bar = length < MIN_BAR_LENGTH ? ' ' : ` [${drawBar(fraction, length)}] `;
  return (percent + bar + text).slice(0, width);
}

/** Joins the fields that fit. Fields are not truncated, since a truncated number looks like another number. */
function joinFitting(fields: readonly string[], width: number): string {
  const text = fields.join('  ');
  return text.length <= width || fields.length === 1
    ? text.slice(0, width)
    : joinFitting(fields.slice(0, -1), width);
}

function timeLeft(count: number, rate: number): string {
  if (count <= 0) return '0s';
  if (rate <= 0) return '-';
  const seconds = Math.max(1, Math.ceil(count / rate));
  return seconds < 60 ? `${seconds}s` : formatDuration(seconds * 1000);
}

/** The rate at which a count grew during the last ten seconds, from at most a hundred samples. */
export class MovingRate {
  readonly #samples: { readonly atMs: number; readonly count: number }[] = [];

  /** Records the count at a time in ms. Returns its growth per second, 0 for the first sample. */
  update(atMs: number, count: number): number {
    const last = this.#samples.at(-1);
    if (last === undefined || atMs - last.atMs >= SAMPLE_INTERVAL_MS) this.#samples.push({ atMs, count });
    while (this.#samples.length > 2 && atMs - (this.#samples[1]?.atMs ?? atMs) >= RATE_WINDOW_MS) {
      this.#samples.shift();
    }
    const first = this.#samples[0];
    if (first === undefined || atMs <= first.atMs) return 0;
    return ((count - first.count) * 1000) / (atMs - first.atMs);
  }
}
