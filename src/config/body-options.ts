import { option } from './option.ts';
import { directoryName, nameTemplate } from './parse/names.ts';
import { boolean } from './parse/numbers.ts';
import { inlineSize } from './parse/units.ts';

/** What becomes of bodies: part of `runOptions`. */
export const bodyOptions = {
  saveDir: option({
    flags: '-O, --save-dir <dir>',
    group: 'Bodies',
    parser: directoryName,
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
  name: option({
    flags: '--name <template>',
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
