import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { interruptedText, type SignalSource, Signals } from '../../src/cli/signals.ts';

describe('Signals', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watch(): { source: SignalSource & EventEmitter; calls: string[]; signals: Signals } {
    const source = new EventEmitter();
    const calls: string[] = [];
    const signals = new Signals(source, {
      stop: (name) => calls.push(`stop ${name}`),
      abort: (message) => calls.push(`abort ${message}`),
      quit: () => calls.push('quit'),
    });
    return { source, calls, signals };
  }

  it('stops at the first signal and names it', () => {
    const { source, calls, signals } = watch();
    expect(signals.received).toBeUndefined();
    source.emit('SIGTERM', 'SIGTERM');
    expect([calls, signals.received]).toEqual([['stop SIGTERM'], 'SIGTERM']);
  });

  it('aborts 10 seconds after the first signal, and not earlier', () => {
    const { source, calls } = watch();
    source.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(9_999);
    expect(calls).toEqual(['stop SIGINT']);
    vi.advanceTimersByTime(1);
    expect(calls).toEqual(['stop SIGINT', 'abort not finished 10s after SIGINT']);
  });

  it('releases outputs that nobody reads one second after the grace time', () => {
    const { source, calls } = watch();
    source.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(10_000);
    expect(calls).not.toContain('quit');
    vi.advanceTimersByTime(1_000);
    expect(calls.at(-1)).toBe('quit');
  });

  it('aborts at a second signal of any name, and keeps the name of the first', () => {
    const { source, calls, signals } = watch();
    source.emit('SIGINT', 'SIGINT');
    source.emit('SIGTERM', 'SIGTERM');
    expect(calls).toEqual(['stop SIGINT', 'abort ended by a second signal, SIGTERM']);
    expect(signals.received).toBe('SIGINT');
  });

  it('quits one second after a second signal, or at a third one', () => {
    const slow = watch();
    for (const _ of [1, 2]) slow.source.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(1_000);
    expect(slow.calls.slice(2)).toEqual(['quit']);
    const quick = watch();
    for (const _ of [1, 2, 3]) quick.source.emit('SIGINT', 'SIGINT');
    expect(quick.calls.slice(2)).toEqual(['quit']);
    vi.advanceTimersByTime(60_000);
    expect(quick.calls.slice(2)).toEqual(['quit']);
  });

  it('leaves no timer and no listener when it is closed', () => {
    const { source, calls, signals } = watch();
    source.emit('SIGINT', 'SIGINT');
    signals.close();
    expect([source.eventNames(), vi.getTimerCount()]).toEqual([[], 0]);
    vi.advanceTimersByTime(60_000);
    expect(calls).toEqual(['stop SIGINT']);
  });
});

describe('interruptedText()', () => {
  it.each([
    ['SIGINT', 4, 'interrupted: finishing 4 requests (10s at most); press Ctrl-C again to quit now'],
    ['SIGINT', 1, 'interrupted: finishing 1 request (10s at most); press Ctrl-C again to quit now'],
    ['SIGTERM', 2, 'terminated: finishing 2 requests (10s at most); send the signal again to quit now'],
    ['SIGINT', 0, 'interrupted'],
    [
      'SIGINT',
      undefined,
      'interrupted: finishing the requests in flight (10s at most); press Ctrl-C again to quit now',
    ],
  ] as const)('of %s with %i in flight', (name, inFlight, text) => {
    expect(interruptedText(name, inFlight)).toBe(text);
  });
});
