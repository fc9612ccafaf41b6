import { option } from './option.ts';
import { boolean } from './parsers/boolean.ts';
import { fileName } from './parsers/text.ts';

/** How a run that was cut short goes on: part of `outputOptions`. */
export const journalOptions = {
  journal: option({
    flags: '--journal <file>',
    group: 'Resume',
    parser: fileName,
    default: undefined,
    help: 'note each finished URL in this file; the same command with the same file goes on where it stopped',
  }),
  keepFailed: option({
    flags: '--keep-failed',
    group: 'Resume',
    parser: boolean,
    default: false,
    help: 'let the failures in the journal stand, in place of fetching them again',
  }),
};
