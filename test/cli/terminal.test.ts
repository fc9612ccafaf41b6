import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createMessages, createPaint, type Messages } from '../../src/cli/terminal.ts';

describe('createPaint()', () => {
  it.each<[boolean, string, 'auto' | 'always' | 'never', boolean, Record<string, string>]>([
    [false, 'by default in a pipe', 'auto', false, {}],
    [true, 'by default on a terminal', 'auto', true, {}],
    [true, 'with --color always', 'always', false, {}],
    [true, 'with --color always and NO_COLOR', 'always', false, { NO_COLOR: '1' }],
    [false, 'with --color never on a terminal', 'never', true, {}],
    [false, 'with --color never and FORCE_COLOR', 'never', false, { FORCE_COLOR: '1' }],
    [true, 'with FORCE_COLOR', 'auto', false, { FORCE_COLOR: '1' }],
    [true, 'with FORCE_COLOR and NO_COLOR', 'auto', false, { FORCE_COLOR: '1', NO_COLOR: '1' }],
    [false, 'with FORCE_COLOR=0 on a terminal', 'auto', true, { FORCE_COLOR: '0' }],
    [false, 'with NO_COLOR on a terminal', 'auto', true, { NO_COLOR: '1' }],
    [true, 'with an empty NO_COLOR on a terminal', 'auto', true, { NO_COLOR: '' }],
    [false, 'with TERM=dumb on a terminal', 'auto', true, { TERM: 'dumb' }],
  ])('colours: %s %s', async (expected, _, when, isTerminal, environment) => {
    const { ok } = await createPaint(when, isTerminal, environment);
    expect(ok('OK')).toBe(expected ? '\u001b[32mOK\u001b[39m' : 'OK');
  });
});

describe('createMessages()', () => {
  function written(kind: keyof Messages, options: Parameters<typeof createMessages>[1]): string {
    const stderr = new PassThrough({ encoding: 'utf8' });
    const bar = { clear: () => stderr.write('<clear>'), redraw: () => stderr.write('<redraw>') };
    const withBar = options?.bar === undefined ? options : { ...options, bar };
    createMessages(Object.create(process, { stderr: { value: stderr } }), withBar)[kind]('a message');
    return stderr.read() ?? '';
  }
  const bar = { clear: () => {}, redraw: () => {} };

  it.each<[string, keyof Messages, object, string]>([
    ['an error', 'error', {}, 'error: a message\n'],
    ['a warning', 'warn', {}, 'warning: a message\n'],
    ['a note', 'note', {}, 'note: a message\n'],
    ['a line of a log as it is', 'log', {}, 'a message\n'],
    ['a line in place of the bar', 'warn', { bar }, '<clear>warning: a message\n<redraw>'],
    ['nothing with isSilent', 'error', { isSilent: true, bar }, ''],
  ])('writes %s', (_, kind, options, expected) => {
    expect(written(kind, options)).toBe(expected);
  });
});
