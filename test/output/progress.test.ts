import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LineWriter } from '../../src/output/line-writer.ts';
import { type Progress, ProgressBar } from '../../src/output/progress.ts';

/** A terminal that knows carriage return, new line and "clear to the end of the line", and keeps all it was sent. */
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

test('the bar is drawn at the start, follows the run, and is gone at the end', async () => {
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

test('a total that comes later, or never, is no trouble', async () => {
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

test('it is drawn ten times a second, whatever the number of results', async () => {
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

test('its timer never keeps the process alive', () => {
  vi.useRealTimers();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const bar = makeBar(new FakeTerminal());
  bar.start();
  expect(timers()).toBe(before);
  bar.end();
});

test('after the end nothing is drawn any more', async () => {
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

test('a bar that was never started draws nothing', async () => {
  const terminal = new FakeTerminal();
  const bar = makeBar(terminal);
  bar.clear();
  bar.redraw();
  bar.end();
  await turn();
  expect(terminal.sent).toBe('');
});

test('lines written to the same terminal stand above the bar, whole', async () => {
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
  writer.write('OK    200  https://example.com/2\n');
  await writer.end();
  expect(await terminal.screen()).toEqual([
    'OK    200  https://example.com/1',
    'OK    200  https://example.com/2',
    expect.stringMatching(/^ {2}0% \[/),
  ]);
  bar.end();
  expect((await terminal.screen()).at(-1)).toBe('');
});

test('it sends nothing that outlives a killed run: no hidden cursor, no wrapping turned off', async () => {
  const terminal = new FakeTerminal();
  const bar = makeBar(terminal);
  bar.start();
  passMs(500);
  bar.end();
  await turn();
  expect(terminal.sent.replaceAll('\x1b[K', '')).not.toContain('\x1b');
});

test('a line is never wider than the terminal', async () => {
  const terminal = new FakeTerminal(true, 40);
  const bar = makeBar(terminal);
  bar.start();
  expect((await terminal.screen())[0]?.length).toBeLessThan(40);
  bar.end();
});

test('a terminal that does not take what it is sent gets no more', async () => {
  const terminal = new FakeTerminal();
  terminal.pause();
  const bar = makeBar(terminal);
  bar.start();
  passMs(600_000);
  const room = terminal.writableHighWaterMark + terminal.readableHighWaterMark;
  expect(terminal.writableLength + terminal.readableLength).toBeLessThan(room + 1000);
  bar.end();
});

test('elsewhere than on a terminal it is a plain line every two seconds', async () => {
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

test('a terminal that goes away takes the bar with it, and nothing else', async () => {
  const terminal = new FakeTerminal();
  const bar = makeBar(terminal);
  bar.start();
  terminal.destroy(Object.assign(new Error('gone'), { code: 'EIO' }));
  await turn();
  passMs(1000);
  expect(vi.getTimerCount()).toBe(0);
});
