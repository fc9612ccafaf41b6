import {
  collectOptions,
  deadOptions,
  diffOptions,
  feedOptions,
  purgeOptions,
  reportCommandOptions,
  statusOptions,
  workOptions,
} from '../config/command-options.ts';
import { type Option as Entry, GROUPS, type Group, type Suggestions, type Table } from '../config/option.ts';
import { programOptions } from '../config/program-options.ts';

export type CommandName =
  | 'fetch'
  | 'report'
  | 'diff'
  | 'feed'
  | 'work'
  | 'collect'
  | 'status'
  | 'dead'
  | 'purge'
  | 'completion';

/** A command: its name, its help and its options. */
export interface CommandSpec {
  readonly name: CommandName;
  readonly summary: string;
  readonly description: string;
  readonly operands: readonly Operand[];
  readonly options: Table;
  /** The group of its `--help` flag. */
  readonly helpGroup: Group;
  readonly examples: string;
}

/** An argument that is not a flag. */
export interface Operand {
  /** In the syntax of commander: `<old>`, or `[inputs...]` for any number. */
  readonly name: string;
  readonly help: string;
  readonly suggestions: Suggestions;
}

/** A flag of the command line. An option that also has a `--no-` form is two flags. */
export interface Flag {
  /** In the syntax of commander: `-c, --concurrency <n>`. */
  readonly spelling: string;
  /** `-c`, or `undefined` if there is none. */
  readonly short: string | undefined;
  /** `--concurrency`. */
  readonly long: string;
  /** `<n>`, `[max]` if it is optional, `[=n]` if it must follow a `=`; `undefined` for a flag without a value. */
  readonly value: string | undefined;
  readonly group: Group;
  readonly help: string;
  /** The default as help shows it, or `undefined` if help shows none. */
  readonly defaultText: string | undefined;
  readonly isRepeatable: boolean;
  /** Completions of its value. */
  readonly suggestions: Suggestions | undefined;
}

/** Returns the flags of a table, in the order of the groups. */
export function toFlags(table: Table): readonly Flag[] {
  const entries = Object.values(table);
  return GROUPS.flatMap((group) => entries.filter((entry) => entry.group === group).flatMap(entryFlags));
}

function entryFlags(entry: Entry<unknown, unknown>): readonly Flag[] {
  const flag = {
    ...parseSpelling(entry.flags),
    group: entry.group,
    help: entry.help,
    defaultText: formatDefault(entry),
    isRepeatable: entry.repeatable === true,
    suggestions: entry.parser.suggestions,
  };
  if (entry.noHelp === undefined) return [flag];
  return [
    flag,
    {
      ...flag,
      ...parseSpelling(entry.flags.replace(/^--/, '--no-')),
      help: entry.noHelp,
      defaultText: undefined,
    },
  ];
}

function parseSpelling(spelling: string): Pick<Flag, 'spelling' | 'short' | 'long' | 'value'> {
  const [, short, long = spelling, value] = /^(?:(-\w), )?(--[\w-]+)(?: ?([<[].+))?$/.exec(spelling) ?? [];
  return { spelling, short, long, value };
}

function formatDefault(entry: Entry<unknown, unknown>): string | undefined {
  if (entry.defaultText !== undefined) return entry.defaultText;
  const takesValue = entry.flags.includes('<');
  const shown = takesValue && entry.default !== undefined ? entry.parser.print(entry.default) : undefined;
  return typeof shown === 'string' || typeof shown === 'number' ? `${shown}` : undefined;
}

const CLUSTER_EXAMPLES = `
Examples, of one run on many machines:
  fanout feed urls.txt --broker nats://queue:4222 --run may    send the list, once, from anywhere
  fanout work --broker nats://queue:4222 --run may -c 256      on each machine that fetches
  fanout collect --broker nats://queue:4222 --run may -q       on one machine: results, summary, exit code
  fanout work --shards /mnt/results ...                        results into files, and not through the broker
  fanout status --broker nats://queue:4222 --run may           how far it is
  fanout purge --broker nats://queue:4222 --run may            when all is done

FANOUT_BROKER and FANOUT_RUN may stand in place of the two flags.`;

/** The commands for a run on several machines. */
const CLUSTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'feed',
    summary: 'send a list to many machines',
    description:
      'Sends the URLs of the inputs to a broker, in chunks. The same command goes on where it was cut off.',
    operands: [
      {
        name: '[inputs...]',
        help: 'files of URLs (also .gz), - for standard input, or URLs; standard input if there is none',
        suggestions: 'files',
      },
    ],
    options: feedOptions,
    helpGroup: 'Several machines',
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'work',
    summary: 'fetch what a broker hands out',
    description:
      'Fetches the URLs of a run that a broker hands out, until the run is complete. Start it on as many machines as you like, at any time.',
    operands: [],
    options: workOptions,
    helpGroup: 'Several machines',
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'collect',
    summary: 'collect the results of many machines',
    description:
      'Takes the results of a run from a broker, keeps them in a file, and writes them as fanout fetch does. It ends when the run is complete, with the exit codes of fanout fetch; after a crash, the same command goes on.',
    operands: [],
    options: collectOptions,
    helpGroup: 'Several machines',
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'status',
    summary: 'show how a run on many machines stands',
    description: 'Shows what of a run is sent, waits, is under way and is done.',
    operands: [],
    options: statusOptions,
    helpGroup: 'Several machines',
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'dead',
    summary: 'show the URLs that no worker survived',
    description:
      'Lists the URLs of a run at which several workers died, exports them as jobs that fanout fetch and fanout feed read, or sends them again: those of the run NAME, once it is complete, as the run NAME-retry-1.',
    operands: [
      {
        name: '[action]',
        help: 'list, export or retry; list if there is none',
        suggestions: ['list', 'export', 'retry'],
      },
    ],
    options: deadOptions,
    helpGroup: 'Several machines',
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'purge',
    summary: 'delete a run from its broker',
    description: 'Deletes all that a broker holds of a run. The files of the collector stay.',
    operands: [],
    options: purgeOptions,
    helpGroup: 'Several machines',
    examples: CLUSTER_EXAMPLES,
  },
];

export const FETCH_EXAMPLES = `
Examples:
  fanout fetch urls.txt                               fetch what the file lists
  fanout fetch urls.txt --json > results.jsonl        one JSON record for each URL
  cat urls.txt | fanout fetch -I -c 100 -q            check links, show those that fail
  fanout fetch urls.txt.gz --failed again.txt         keep the failed URLs as a new list
  fanout fetch urls.txt -H 'Authorization: $TOKEN'    a secret from the environment`;

const REPORT_EXAMPLES = `
Examples:
  fanout report results.jsonl                           the results as text, with a summary
  fanout report results.jsonl --format html -o a.html   one page for a browser
  fanout report a.jsonl b.jsonl --format junit          several runs in one report
  fanout fetch urls.txt --json | fanout report -q       only what is not OK

The exit code is 0 when the report could be made, whatever is in it, and 2 when a line is no result record, or the results of
a shard cannot be read.`;

const DIFF_EXAMPLES = `
Examples:
  fanout diff old.jsonl new.jsonl                     what has changed between two runs
  fanout diff old.jsonl new.jsonl -q                  what broke, and nothing else
  fanout diff old.jsonl - --format json < new.jsonl   for another program

The exit code is 1 when something broke. The URLs of OLD are held in memory, about 500 bytes each.`;

const COMPLETION_EXAMPLES = `
Examples:
  eval "$(fanout completion bash)"                                  in ~/.bashrc
  eval "$(fanout completion zsh)"                                   in ~/.zshrc, after compinit
  fanout completion fish > ~/.config/fish/completions/fanout.fish   once`;

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'fetch',
    summary: 'fetch every URL of the inputs',
    description: 'Fetches every URL of the inputs and writes one result for each, as they finish.',
    operands: [
      {
        name: '[inputs...]',
        help: 'files of URLs (also .gz), - for standard input, or URLs; standard input if there is none',
        suggestions: 'files',
      },
    ],
    options: programOptions,
    helpGroup: 'Configuration',
    examples: FETCH_EXAMPLES,
  },
  {
    name: 'report',
    summary: 'make a report of results',
    description: 'Reads results as fetch --json writes them, and makes one report of them.',
    operands: [
      {
        name: '[results...]',
        help: 'files of results (JSONL, also .gz), or - for standard input; standard input if there is none',
        suggestions: 'files',
      },
    ],
    options: reportCommandOptions,
    helpGroup: 'Output',
    examples: REPORT_EXAMPLES,
  },
  {
    name: 'diff',
    summary: 'compare the results of two runs',
    description: 'Compares two results: newly broken, mended, moved, slower and changed URLs.',
    operands: [
      {
        name: '<old>',
        help: 'the results of the earlier run (JSONL, also .gz), or - for standard input',
        suggestions: 'files',
      },
      { name: '<new>', help: 'the results of the later run', suggestions: 'files' },
    ],
    options: diffOptions,
    helpGroup: 'Output',
    examples: DIFF_EXAMPLES,
  },
  ...CLUSTER_COMMANDS,
  {
    name: 'completion',
    summary: 'make completions for a shell',
    description: 'Writes a script with which a shell completes commands, flags, values and file names.',
    operands: [{ name: '<shell>', help: 'bash, zsh or fish', suggestions: ['bash', 'zsh', 'fish'] }],
    options: {},
    helpGroup: 'Output',
    examples: COMPLETION_EXAMPLES,
  },
];
