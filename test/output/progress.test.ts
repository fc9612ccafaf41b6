import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineWriter } from '../../src/output/line-writer.ts';
import { barLine, MovingRate, type Progress, ProgressBar } from '../../src/output/progress.ts';

/** A terminal that understands carriage return, newline and "clear to the end of the line", and keeps what was written. */
class FakeTerminal extends PassThrough {
  readonly isTTY: boolean;
  readonly columns: number;
  sent = '';

  constructor(isTTY = true, columns = 100) {
    super();
    this.isTTY = isTTY;
    this.columns = columns;
    this.on('data', (chunk: Buffer) => {
      this.sent += chunk.toString();
    });
  }

  async screen(): Promise<string[]> {
    await turn();
    const rows = this.sent.split('\n').map((row) => {
      let shown = '';
      let column = 0;
      for (const [token] of row.matchAll(/\r|\x1b\[K|[^\r\x1b]+/g)) {
        if (token === '\r') column = 0;
        else if (token === '\x1b[K') shown = shown.slice(0, column);
        else {
          shown = shown.slice(0, column) + token + shown.slice(column + token.length);
          column += token.length;
        }
      }
      return shown;
    });
    return rows;
  }
}

describe('ProgressBar', () => {
  let progress: Progress;
  let now: number;

  function makeBar(terminal: FakeTerminal): ProgressBar {
    return new ProgressBar(
      terminal,
      () => progress,
      () => now,
    );
  }

  function passMs(ms: number): void {
    now += ms;
    vi.advanceTimersByTime(ms);
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    now = 0;
    progress = { done: 0, total: 100, ok: 0, failed: 0, inFlight: 0 };
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('is drawn at the start, updated during the run, and removed at the end', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.start();
    expect(await terminal.screen()).toEqual([expect.stringMatching(/^ {2}0% \[-+\] 0\/100 {2}OK 0 /)]);
    progress = { done: 50, total: 100, ok: 45, failed: 5, inFlight: 7 };
    passMs(1000);
    expect(await terminal.screen()).toEqual([
      expect.stringMatching(/^ 50% \[=+-+\] 50\/100 {2}OK 45 {2}FAIL 5 {2}50\/s {2}ETA 1s {2}7 in flight$/),
    ]);
    bar.end();
    expect(await terminal.screen()).toEqual(['']);
  });

  it('takes speed and time left from the URLs of this run, not from those of the journal', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.start();
    progress = { done: 60, resumed: 50, total: 100, ok: 60, failed: 0, inFlight: 1 };
    passMs(1000);
    expect(await terminal.screen()).toEqual([expect.stringMatching(/ 60\/100 .* 10\/s {2}ETA 4s /)]);
    bar.end();
  });

  it('accepts a total that is known later or never', async () => {
    const terminal = new FakeTerminal();
    progress = { ...progress, total: undefined };
    const bar = makeBar(terminal);
    bar.start();
    expect(await terminal.screen()).toEqual([expect.stringMatching(/^0 done {2}OK 0/)]);
    progress = { ...progress, total: 10 };
    passMs(100);
    expect(await terminal.screen()).toEqual([expect.stringMatching(/^ {2}0% .* 0\/10 /)]);
    bar.end();
  });

  it('is drawn ten times a second for any number of results', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.start();
    await turn();
    terminal.sent = '';
    for (let result = 0; result < 10_000; result += 1) bar.write();
    await turn();
    expect(terminal.sent).toBe('');
    passMs(1000);
    await turn();
    expect(terminal.sent.split('\r')).toHaveLength(11);
    bar.end();
  });

  it('does not keep the process alive', () => {
    vi.useRealTimers();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const bar = makeBar(new FakeTerminal());
    bar.start();
    expect(timers()).toBe(before);
    bar.end();
  });

  it('draws nothing after the end', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.start();
    bar.end();
    await turn();
    terminal.sent = '';
    passMs(5000);
    bar.clear();
    bar.redraw();
    bar.end();
    await turn();
    expect(terminal.sent).toBe('');
  });

  it('draws nothing if it was never started', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.clear();
    bar.redraw();
    bar.end();
    await turn();
    expect(terminal.sent).toBe('');
  });

  it('is drawn below whole lines that are written to the same terminal', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    const writer = new LineWriter(terminal, {
      scheduleFlush: setImmediate,
      name: 'out',
      keepOpen: true,
      beforeWrite: bar.clear,
      afterWrite: bar.redraw,
    });
    bar.start();
    writer.write('OK    200  https://example.com/1\n');
    await turn();
    passMs(100);
    progress = { ...progress, done: 2, ok: 2 };
    writer.write('OK    200  https://example.com/2\n');
    await writer.end();
    expect(await terminal.screen()).toEqual([
      'OK    200  https://example.com/1',
      'OK    200  https://example.com/2',
      expect.stringMatching(/^ {2}2% \[.* 2\/100 {2}OK 2 /), // the counts of these lines
    ]);
    bar.end();
    expect((await terminal.screen()).at(-1)).toBe('');
  });

  it('neither hides the cursor nor disables line wrap, since a killed run could not undo it', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.start();
    passMs(500);
    bar.end();
    await turn();
    expect(terminal.sent.replaceAll('\x1b[K', '')).not.toContain('\x1b');
  });

  it('is never wider than the terminal', async () => {
    const terminal = new FakeTerminal(true, 40);
    const bar = makeBar(terminal);
    bar.start();
    expect((await terminal.screen())[0]?.length).toBeLessThan(40);
    bar.end();
  });

  it('writes no more to a terminal that does not read', async () => {
    const terminal = new FakeTerminal();
    terminal.pause();
    const bar = makeBar(terminal);
    bar.start();
    passMs(600_000);
    const room = terminal.writableHighWaterMark + terminal.readableHighWaterMark;
    expect(terminal.writableLength + terminal.readableLength).toBeLessThan(room + 1000);
    bar.end();
  });

  it('is a plain line every two seconds if the stream is not a terminal', async () => {
    const file = new FakeTerminal(false);
    const bar = makeBar(file);
    bar.start();
    passMs(4000);
    bar.clear();
    bar.redraw();
    await turn();
    expect(file.sent).not.toMatch(/[\r\x1b]/);
    expect(file.sent.trimEnd().split('\n')).toHaveLength(3);
    bar.end();
  });

  it('ends without an error when the terminal is closed', async () => {
    const terminal = new FakeTerminal();
    const bar = makeBar(terminal);
    bar.start();
    terminal.destroy(Object.assign(new Error('gone'), { code: 'EIO' }));
    await turn();
    passMs(1000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('barLine()', () => {
  const HALF: Progress = { done: 50, total: 100, ok: 48, failed: 2, inFlight: 4 };

  function line(progress: Progress, rate = 5, width = 100): string {
    return barLine(progress, rate, width, (fraction, length) =>
      '='.repeat(Math.round(fraction * length)).padEnd(length, '-'),
    );
  }

  it('shows done and total, OK, FAIL, rate, ETA and requests in flight', () => {
    expect(line(HALF)).toBe(
      ' 50% [===============---------------] 50/100  OK 48  FAIL 2  5.0/s  ETA 10s  4 in flight',
    );
  });

  it('shows no time left while the run is stopping', () => {
    expect(line({ ...HALF, isStopping: true })).toBe(
      ' 50% [===============---------------] 50/100  OK 48  FAIL 2  5.0/s  stopping  4 in flight',
    );
    expect(line({ ...HALF, total: undefined, isStopping: true })).toBe(
      '50 done  OK 48  FAIL 2  5.0/s  stopping  4 in flight',
    );
  });

  it('shows counts and rate without a total', () => {
    expect(line({ ...HALF, total: undefined }, 812.4)).toBe('50 done  OK 48  FAIL 2  812/s  4 in flight');
  });

  it('has a shorter bar or none in a narrow terminal, and never a longer line', () => {
    expect(line(HALF, 5, 75)).toMatch(/^ 50% \[=+-+\] 50\/100 .*in flight$/);
    expect(line(HALF, 5, 75).length).toBeLessThanOrEqual(75);
    expect(line(HALF, 5, 60)).toBe(' 50% 50/100  OK 48  FAIL 2  5.0/s  ETA 10s  4 in flight');
    expect(line(HALF, 5, 20)).toBe(' 50% 50/100  OK 48');
    expect(line({ ...HALF, total: undefined }, 5, 20)).toBe('50 done  OK 48');
  });

  it('leaves out a field that does not fit, since a truncated ETA would look like another one', () => {
    expect(line(HALF, 5, 42)).toBe(' 50% 50/100  OK 48  FAIL 2  5.0/s  ETA 10s');
    expect(line(HALF, 5, 41)).toBe(' 50% 50/100  OK 48  FAIL 2  5.0/s');
    expect(line({ ...HALF, done: 1e9, total: undefined }, 5, 8)).toBe('10000000');
  });

  it.each([
    [{ done: 0, total: 0 }, 0, /^100% .* ETA 0s/],
    [{ done: 0 }, 0, /^ {2}0% .* ETA - /],
    [{ done: 120 }, 5, /^100% .* 120\/100 .* ETA 0s/],
    [{ done: 99 }, 1000, /^ 99% .* ETA 1s/],
    [{ done: 0, total: 7500 }, 1, / ETA 2h05m /],
    [{ done: 999, total: 1000 }, 1, /^ 99% /],
  ])('shows unusual counts: %j', (changes, rate, shown) => {
    expect(line({ ...HALF, ...changes }, rate)).toMatch(shown);
  });
});

describe('MovingRate', () => {
  it('is 0 after one sample', () => {
    expect(new MovingRate().update(1000, 50)).toBe(0);
  });

  it('gives growth per second, also between two samples that it keeps', () => {
    const rate = new MovingRate();
    rate.update(0, 0);
    expect(rate.update(50, 10)).toBe(200);
    expect(rate.update(2000, 400)).toBe(200);
  });

  it('forgets samples older than ten seconds', () => {
    const rate = new MovingRate();
    for (let second = 0; second <= 10; second += 1) rate.update(second * 1000, second * 1000);
    let last = 0;
    for (let second = 11; second <= 30; second += 1) last = rate.update(second * 1000, 10_000);
    expect(last).toBe(0);
  });
});
