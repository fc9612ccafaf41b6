import { option } from './option.ts';
import { boolean } from './parsers/boolean.ts';
import { fileName } from './parsers/text.ts';
import { wholeNumber } from './parsers/whole-number.ts';

/** How earlier runs bear on this one: part of `outputOptions`. */
export const judgementOptions = {
  baseline: option({
    flags: '--baseline <file>',
    group: 'Reports',
    parser: fileName,
    default: undefined,
    help: 'let failures pass that are known from this file, a JSONL result or a list of URLs, and name mended ones',
  }),
  updateBaseline: option({
    flags: '--update-baseline',
    group: 'Reports',
    parser: boolean,
    default: false,
    help: 'write the failures of this run to the file of --baseline, unless the run is cut short',
  }),
  flakyAfter: option({
    flags: '--flaky-after <n>',
    group: 'Reports',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    help: 'let a URL fail the run only after so many bad runs in a row, counted in the file of --state',
  }),
  state: option({
    flags: '--state <file>',
    group: 'Reports',
    parser: fileName,
    default: undefined,
    help: 'keep the bad runs of each URL in this file from one run to the next',
  }),
};
