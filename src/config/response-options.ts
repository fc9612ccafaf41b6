import type { ExpectedHeader } from '../model/expectation.ts';
import { option } from './option.ts';
import { expectedHeaders } from './parse/headers.ts';
import { nameTemplate, saveDirectoryName } from './parse/names.ts';
import { duration, inlineSize, wholeNumber } from './parse/numbers.ts';
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
    help: 'text that the body must contain',
    repeatable: true,
  }),
  notContains: option({
    flags: '--not-contains <text>',
    group: 'What counts as OK',
    parser: texts,
    default: NO_TEXTS,
    help: 'text that the body must not contain',
    repeatable: true,
  }),
  matches: option({
    flags: '--matches <regex>',
    group: 'What counts as OK',
    parser: regexps,
    default: NO_REGEXPS,
    help: 'JavaScript regular expression that the body must match',
    details: 'Without look-around and back-references, so that every search takes linear time.',
    repeatable: true,
  }),
  expectHeader: option({
    flags: '--expect-header <line>',
    group: 'What counts as OK',
    parser: expectedHeaders,
    default: NO_HEADERS,
    help: "header that the response must have: 'Name: value'",
    details: "'Name:' accepts any value. Case and parameters are ignored.",
    repeatable: true,
  }),
  expectTime: option({
    flags: '--expect-time <duration>',
    group: 'What counts as OK',
    parser: duration({ minMs: 1 }),
    default: undefined,
    help: 'fail responses that take longer than this',
    details: 'They are not cut off: see --timeout.',
  }),
  expectCertDays: option({
    flags: '--expect-cert-days <n>',
    group: 'What counts as OK',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    help: 'fail if a certificate is valid for fewer days',
    details: 'That of every https URL in the chain of redirects, also with --insecure.',
  }),
  checkFragments: option({
    flags: '--check-fragments',
    group: 'What counts as OK',
    parser: boolean,
    default: false,
    help: 'fail URLs whose #fragment names nothing in the page',
    details:
      'Each page is fetched once, however many of its fragments are in the list. An id and the name of an <a> count, in HTML only; #top and text ' +
      'fragments (#:~:text=) are left out. With --extract, links to headings of Markdown and HTML files are checked too.',
  }),
  redirects: option({
    flags: '--redirects <verdict>',
    group: 'What counts as OK',
    parser: oneOf(['ok', 'warn', 'fail']),
    default: 'ok',
    help: 'how to count URLs that redirect: ok, warn or fail',
  }),
  permanentRedirects: option({
    flags: '--permanent-redirects <verdict>',
    group: 'What counts as OK',
    parser: oneOf(['ok', 'warn', 'fail']),
    default: 'ok',
    help: 'how to count URLs that have moved: ok, warn or fail',
    details:
      "They redirect with status 301 or 308, and the message names the URL to write instead. 'fanout report --format sed' writes a script for sed that replaces them.",
  }),
  blocked: option({
    flags: '--blocked <verdict>',
    group: 'What counts as OK',
    parser: oneOf(['fail', 'warn', 'ok']),
    default: 'fail',
    help: 'how to count pages that block bots: fail, warn or ok',
  }),
};

/** What happens to bodies. */
export const bodyOptions = {
  saveDir: option({
    flags: '--save-dir <dir>',
    group: 'Bodies',
    parser: saveDirectoryName,
    default: undefined,
    help: 'save the bodies of OK URLs as files in a directory',
  }),
  saveAll: option({
    flags: '--save-all',
    group: 'Bodies',
    parser: boolean,
    default: false,
    help: 'save the bodies of failed responses too',
  }),
  saveAs: option({
    flags: '--save-as <template>',
    group: 'Bodies',
    parser: nameTemplate,
    default: undefined,
    defaultText: '{host}{path}',
    help: 'template for the names of saved files',
    details:
      'Fields: {host} {path} {index} {id} {hash} {ext} {status} {query}. {ext} is the extension, without its dot, of the URL or else of the content type. ' +
      'Where two URLs could have the same name, ~HASH is added.',
  }),
  resumePartial: option({
    flags: '--resume-partial',
    group: 'Bodies',
    parser: boolean,
    default: false,
    help: 'resume incomplete bodies with range requests',
    details: 'Also after fanout was killed.',
  }),
  skipExisting: option({
    flags: '--skip-existing',
    group: 'Bodies',
    parser: boolean,
    default: false,
    help: 'do not fetch URLs whose file exists already',
    details:
      'They are OK, with "file": "existing" in the record; nothing of the file is checked. If the content type decides the extension, a file with any known one counts. Jobs with "sha256" in "expect" are fetched.',
  }),
  inlineBody: option({
    flags: '--inline-body [max]',
    group: 'Bodies',
    parser: inlineSize,
    default: undefined,
    defaultText: 'none; 64kb without a size',
    help: 'put bodies up to this size into the JSONL records',
    details: 'As text if possible, otherwise as base64. Needs --json.',
  }),
};
