import cliProgress from 'cli-progress';
import type { Sink } from '../collect/sink.ts';
import { barLine, type Progress } from './bar-line.ts';
import { BarTerminal, type TerminalStream } from './bar-terminal.ts';
import { MovingRate } from './moving-rate.ts';

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
