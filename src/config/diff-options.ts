import { option, type Resolved } from './option.ts';
import { outputOptions } from './output-options.ts';
import { boolean } from './parsers/boolean.ts';
import { duration } from './parsers/duration.ts';
import { oneOf } from './parsers/one-of.ts';
import { ratio } from './parsers/ratio.ts';
import { reportCommandOptions } from './report-command-options.ts';

/** The options of `fanout diff`. */
export const diffOptions = {
  slower: option({
    flags: '--slower <ratio>',
    group: 'Output',
    parser: ratio,
    default: 2,
    help: 'call a URL slower when it takes so many times as long',
  }),
  slowerBy: option({
    flags: '--slower-by <duration>',
    group: 'Output',
    parser: duration(),
    default: 500,
    help: 'call it slower only when it takes at least so much longer, too',
  }),
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'json']),
    default: 'text',
    help: 'write text, or one JSON object',
  }),
  output: reportCommandOptions.output,
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'name only what is newly broken',
  }),
  shards: reportCommandOptions.shards,
  color: outputOptions.color,
};

export type DiffOptions = Resolved<typeof diffOptions>;
