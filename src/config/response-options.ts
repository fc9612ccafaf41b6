import type { ExpectedHeader } from '../model/expectation.ts';
import { option } from './option.ts';
import { expectedHeaders } from './parse/headers.ts';
import { nameTemplate, saveDirectoryName } from './parse/names.ts';
import { duration, inlineSize } from './parse/numbers.ts';
import { boolean, oneOf, regexps, texts } from './parse/texts.ts';

const NO_TEXTS: readonly string[] = Object.freeze([]);
const NO_REGEXPS: readonly RegExp[] = Object.freeze([]);
const NO_HEADERS: readonly ExpectedHeader[] = Object.freeze([]);

/** What a response must be to count as OK, besides its status. */
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
  expectTime: option({
    flags: '--expect-time <duration>',
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

/** What happens to bodies. */
export const bodyOptions = {
  saveDir: option({
    flags: '--save-dir <dir>',
    group: 'Bodies',
    parser: saveDirectoryName,
    default: undefined,
    help: 'save the body of each URL that is OK as a file in this directory',
  }),
  saveAll: option({
    flags: '--save-all',
    group: 'Bodies',
    parser: boolean,
    default: false,
    help: 'save the bodies of answers that are not OK, too',
  }),
  saveAs: option({
    flags: '--save-as <template>',
    group: 'Bodies',
    parser: nameTemplate,
    default: undefined,
    defaultText: '{host}{path}',
    help: 'name the files so; fields are {host} {path} {index} {id} {hash} {ext} {status} {query}, and ~HASH is added where two URLs could have the same name',
  }),
  resumePartial: option({
    flags: '--resume-partial',
    group: 'Bodies',
    parser: boolean,
    default: false,
    help: 'keep the beginning of a body that broke off, also when fanout is killed, and ask for the rest only',
  }),
  inlineBody: option({
    flags: '--inline-body [max]',
    group: 'Bodies',
    parser: inlineSize,
    default: undefined,
    defaultText: 'none; 64kb without a size',
    help: 'put each body up to this size into its JSONL record, as text or else as base64',
  }),
};
