import type { Writable } from 'node:stream';
import cliProgress from 'cli-progress';
import type { Sink } from '../results/sink.ts';
import { formatDuration } from './format.ts';

const WINDOW_MS = 10_000;
const SPACING_MS = 100;

/** How fast a count grew over the last ten seconds, from at most a hundred samples. */
export class MovingRate {
  readonly #samples: { readonly atMs: number; readonly count: number }[] = [];

  /** Notes the count at a time in ms and returns its growth a second, 0 while there is nothing to compare with. */
  update(atMs: number, count: number): number {
    const last = this.#samples.at(-1);
    if (last === undefined || atMs - last.atMs >= SPACING_MS) this.#samples.push({ atMs, count });
    while (this.#samples.length > 2 && atMs - (this.#samples[1]?.atMs ?? atMs) >= WINDOW_MS) {
      this.#samples.shift();
    }
    const first = this.#samples[0];
    if (first === undefined || atMs <= first.atMs) return 0;
    return ((count - first.count) * 1000) / (atMs - first.atMs);
  }
}

/** What the bar shows of a run. */
export interface Progress {
  /** Finished, skipped ones included. */
  readonly done: number;
  /** Nothing while it is not known, which may be for ever. */
  readonly total?: number | undefined;
  readonly ok: number;
  readonly failed: number;
  readonly inFlight: number;
}

const SHORTEST_BAR = 10;
const LONGEST_BAR = 30;

/**
 * The text of the bar, never longer than `width`: ` 12% [===-------] 12/100  OK 11  FAIL 1  8/s  ETA 11s  4 in flight`.
 *
 * @param rate finished URLs a second
 * @param drawBar draws a bar of a given length for a fraction from 0 to 1
 */
export function barLine(
  progress: Progress,
  rate: number,
  width: number,
  drawBar: (fraction: number, length: number) => string,
): string {
  const { done, total, ok, failed, inFlight } = progress;
  const counts = [`OK ${ok}`, `FAIL ${failed}`, `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`];
  const flying = `${inFlight} in flight`;
  if (total === undefined) return fitting([`${done} done`, ...counts, flying], width);
  const fraction = total > 0 ? Math.min(1, done / total) : 1;
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const fields = [`${done}/${total}`, ...counts, `ETA ${timeLeft(total - done, rate)}`, flying];
  const text = fitting(fields, width - percent.length - 1);
  const length = Math.min(LONGEST_BAR, width - percent.length - text.length - 4);
  const bar = length < SHORTEST_BAR ? ' ' : ` [${drawBar(fraction, length)}] `;
  return (percent + bar + text).slice(0, width);
}

/** As many of the fields as fit: the half of a number would be another number. */
function fitting(fields: readonly string[], width: number): string {
  const text = fields.join('  ');
  return text.length <= width || fields.length === 1
    ? text.slice(0, width)
    : fitting(fields.slice(0, -1), width);
}

function timeLeft(count: number, rate: number): string {
  if (count <= 0) return '0s';
  if (rate <= 0) return '-';
  const seconds = Math.max(1, Math.ceil(count / rate));
  return seconds < 60 ? `${seconds}s` : formatDuration(seconds * 1000);
}

/** A stream that may be a terminal. */
type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * The terminal that cli-progress draws on, in place of its own, which saves and restores the place of the cursor
 * and so, once result lines have scrolled by, ends the bar by writing over them.
 */
class BarTerminal {
  readonly #stream: TerminalStream;
  #drawn = '';
  #visible = false;

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  /** The last column stays free, since some terminals wrap a line as soon as it is full. */
  getWidth(): number {
    return Math.max(20, (this.#stream.columns || 80) - 1);
  }

  write(text: string): void {
    this.#drawn = text;
    this.redraw();
  }

  /** Puts the last text back. Left out when the terminal is slower than the bar. */
  redraw(): void {
    if (this.#drawn === '' || this.#stream.writableNeedDrain || this.#stream.destroyed) return;
    this.#visible = true;
    this.#stream.write(this.isTTY() ? `\r${this.#drawn}\x1b[K` : this.#drawn);
  }

  clearLine(): void {
    if (!this.#visible || !this.isTTY() || this.#stream.destroyed) return;
    this.#visible = false;
    this.#stream.write('\r\x1b[K');
  }

  newline(): void {
    this.#stream.write('\n');
  }

  // cli-progress calls these as well. Without the cursor hidden or wrapping off, a killed run leaves a sane terminal.
  cursorSave(): void {}
  cursorRestore(): void {}
  cursorTo(): void {}
  clearRight(): void {}
}

/** The bar of cli-progress with a timer that never keeps the process alive. */
class UnrefBar extends cliProgress.SingleBar {
  declare timer: NodeJS.Timeout | null;

  override render(): void {
    super.render();
    this.timer?.unref();
  }
}

/**
 * The progress bar, drawn ten times a second on a terminal; elsewhere a plain line every two seconds.
 * `clear` and `redraw` are for writers of lines to the same terminal. The end of the run takes it away.
 *
 * @param progress is asked at each drawing
 * @param clock monotonic time in ms
 */
export class ProgressBar implements Sink {
  readonly #terminal: BarTerminal;
  readonly #bar: UnrefBar;

  constructor(stream: TerminalStream, progress: () => Progress, clock: () => number) {
    this.#terminal = new BarTerminal(stream);
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
        return barLine(now, rate.update(clock(), now.done), maxWidth, (fraction, length) =>
          cliProgress.Format.BarFormat(fraction, { ...options, barsize: length }),
        );
      },
    };
    this.#bar = new UnrefBar(options);
    // A terminal that is gone takes the bar with it, not the run.
    stream.on('error', this.#stop);
  }

  start(): void {
    this.#bar.start(0, 0);
  }

  /** Takes the bar off the terminal until the next `redraw()` or drawing. */
  readonly clear = (): void => this.#terminal.clearLine();

  /** Puts back what was drawn last, without asking how far the run is. */
  readonly redraw = (): void => {
    if (this.#bar.isActive && this.#terminal.isTTY()) this.#terminal.redraw();
  };

  /** A result alone draws nothing: at 60,000 a second the timer is enough. */
  write(): void {}

  end(): void {
    this.#stop();
  }

  readonly #stop = (): void => this.#bar.stop();
}
