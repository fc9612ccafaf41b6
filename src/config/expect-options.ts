import type { ExpectedHeader } from '../model/expectation.ts';
import { option } from './option.ts';
import { expectedHeaders } from './parse/headers.ts';
import { oneOf, regexps, texts } from './parse/texts.ts';
import { duration } from './parse/units.ts';

const NO_TEXTS: readonly string[] = Object.freeze([]);
const NO_REGEXPS: readonly RegExp[] = Object.freeze([]);
const NO_HEADERS: readonly ExpectedHeader[] = Object.freeze([]);

/** What counts as OK beyond the status: part of `runOptions`. */
export const expectOptions = {
  contains: option({
    flags: '--contains <text>',
    group: 'What counts as OK',
    parser: texts,
    default: NO_TEXTS,
    help: 'the body must have this text in it (repeatable)',
    repeatable: true,
  }),
  matches: option({
    flags: '--matches <regex>',
    group: 'What counts as OK',
    parser: regexps,
    default: NO_REGEXPS,
    help: 'the body must match this regular expression of JavaScript somewhere (repeatable)',
    repeatable: true,
  }),
  notContains: option({
    flags: '--not-contains <text>',
    group: 'What counts as OK',
    parser: texts,
    default: NO_TEXTS,
    help: 'the body must not have this text in it (repeatable)',
    repeatable: true,
  }),
  expectHeader: option({
    flags: '--expect-header <line>',
    group: 'What counts as OK',
    parser: expectedHeaders,
    default: NO_HEADERS,
    help: "the answer must have this header, 'Name: value', in any case and parameters aside; 'Name:' takes any value (repeatable)",
    repeatable: true,
  }),
  maxTime: option({
    flags: '--max-time <duration>',
    group: 'What counts as OK',
    parser: duration({ minMs: 1 }),
    default: undefined,
    help: 'an attempt that takes longer than this is a failure, though its answer is waited for until --timeout',
  }),
  blocked: option({
    flags: '--blocked <verdict>',
    group: 'What counts as OK',
    parser: oneOf(['fail', 'warn', 'ok']),
    default: 'fail',
    help: 'what an answer is that tells robots to go away, such as a challenge page: fail, warn or ok',
  }),
};
