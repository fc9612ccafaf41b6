import {
  clusterFetchOptions,
  collectOptions,
  deadOptions,
  diffOptions,
  extractOptions,
  feedOptions,
  purgeOptions,
  reportCommandOptions,
  resumeOptions,
  runsOptions,
  statusOptions,
  stopOptions,
  workersOptions,
  workOptions,
} from '../config/command-options.ts';
import { type Option as Entry, GROUPS, type Group, type Suggestions, type Table } from '../config/option.ts';
import { fetchOptions } from '../config/program-options.ts';

export type CommandName =
  | 'fetch'
  | 'extract'
  | 'report'
  | 'diff'
  | 'completion'
  | 'cluster fetch'
  | 'cluster feed'
  | 'cluster work'
  | 'cluster collect'
  | 'cluster status'
  | 'cluster runs'
  | 'cluster dead'
  | 'cluster workers'
  | 'cluster stop'
  | 'cluster pause'
  | 'cluster resume'
  | 'cluster purge';

/** A command: its name, its help and its options. */
export interface CommandSpec {
  readonly name: CommandName;
  readonly summary: string;
  readonly description: string;
  readonly operands: readonly Operand[];
  readonly options: Table;
  /** Keys of the options that `-h` shows, in this order; all if unset. */
  readonly common?: readonly string[];
  /** `Examples:` and lines of a command and a remark, then an empty line and sentences. */
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
  /** One line. */
  readonly help: string;
  /** The sentences that follow it in the full help. */
  readonly details: string | undefined;
  /** The default as help shows it, or `undefined` if help shows none. */
  readonly defaultText: string | undefined;
  readonly isRepeatable: boolean;
  /** Completions of its value. */
  readonly suggestions: Suggestions | undefined;
}

/** Returns the flags of a table, in the order of the groups. */
export function toFlags(table: Table): readonly Flag[] {
  const entries = Object.values(table).filter(({ inFileOnly }) => inFileOnly !== true);
  return GROUPS.flatMap((group) => entries.filter((entry) => entry.group === group).flatMap(entryFlags));
}

function entryFlags(entry: Entry<unknown, unknown>): readonly Flag[] {
  const flag = {
    ...parseSpelling(entry.flags),
    group: entry.group,
    help: entry.help,
    details: entry.details,
    defaultText: formatDefault(entry),
    isRepeatable: entry.repeatable === true,
    suggestions: entry.parser.suggestions,
  };
  if (entry.noHelp === undefined) return [flag];
  return [
    flag,
    {
      ...flag,
      ...parseSpelling(entry.flags.replace(/^--([\w-]+).*$/, '--no-$1')),
      help: entry.noHelp,
      details: undefined,
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

/** The help of a flag in one line, with its default. */
export function shortHelp({ help, defaultText }: Flag): string {
  return defaultText === undefined ? help : `${help} (default: ${defaultText})`;
}

/** The whole help of a flag: its line and default, then sentences. */
export function longHelp(flag: Flag): string {
  const sentences = [flag.details, flag.isRepeatable ? 'Repeatable.' : undefined];
  const more = sentences.filter((sentence) => sentence !== undefined);
  return [`${shortHelp(flag)}${more.length === 0 ? '' : '.'}`, ...more].join(' ');
}

const COMMON_FETCH = [
  'concurrency',
  'perHost',
  'rate',
  'timeout',
  'retries',
  'accept',
  'head',
  'method',
  'header',
  'data',
  'insecure',
  'output',
  'json',
  'quiet',
  'saveDir',
  'journal',
  'failed',
  'report',
  'baseline',
  'config',
];

const INPUTS: Operand = {
  name: '[inputs...]',
  help: 'files of URLs (.gz too), - for standard input, or URLs; by default standard input',
  suggestions: 'files',
};

const CLUSTER_EXAMPLES = `
Examples of one run on many machines:
  export FANOUT_BROKER=nats://queue:4222 FANOUT_RUN=may   on every machine
  fanout cluster feed urls.txt                            once: send the list
  fanout cluster work -c 256                              on each machine that fetches
  fanout cluster collect -q                               on one machine: results and exit code
  fanout cluster status                                   from anywhere
  fanout cluster purge                                    when all is done`;

/** The commands for one list on many machines. */
const CLUSTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'cluster fetch',
    summary: 'feed, work and collect in one process',
    description:
      'Sends the URLs of the inputs to a broker, fetches them, and collects the results. Other machines may join with fanout cluster work.',
    operands: [INPUTS],
    options: clusterFetchOptions,
    common: ['broker', 'run', 'store', 'manifest', ...COMMON_FETCH.filter((key) => key !== 'journal')],
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster feed',
    summary: 'send a list to the workers',
    description:
      'Sends the URLs of the inputs to a broker. If it was interrupted, run the same command again.',
    operands: [INPUTS],
    options: feedOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster work',
    summary: 'fetch the URLs that a broker distributes',
    description:
      'Fetches the URLs of a run until the run is complete. Start it on as many machines as you like, at any time.',
    operands: [],
    options: workOptions,
    common: [
      ...['broker', 'run', 'lanes', 'store', 'metrics', 'concurrency', 'perHost', 'rate', 'hostRate'],
      ...['timeout', 'retries', 'accept', 'header', 'headerFor', 'insecure', 'proxy', 'saveDir', 'config'],
    ],
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster collect',
    summary: 'collect the results of all workers',
    description:
      'Writes the results of a run as fanout fetch does. It ends when the run is complete, with the exit codes of fanout fetch. It keeps nothing: if it was interrupted, run the same command again, here or elsewhere, and it writes all results.',
    operands: [],
    options: collectOptions,
    common: [
      ...[
        'broker',
        'run',
        'store',
        'manifest',
        'metrics',
        'deadline',
        'failFast',
        'output',
        'json',
        'ordered',
      ],
      ...['quiet', 'failed', 'report', 'baseline', 'summary', 'config'],
    ],
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster status',
    summary: 'show the progress of a run',
    description:
      'Shows how much of a run has been sent, is waiting, is in flight and is done. The exit code is 1 if the run does not go on by itself: it was stopped or paused, or is incomplete.',
    operands: [],
    options: statusOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster runs',
    summary: 'list the runs of a broker',
    description:
      'Lists the runs of a broker: id, start, state, progress, name and inputs. The name is in parentheses if a later run has it.',
    operands: [],
    options: runsOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster dead',
    summary: 'list or retry URLs at which workers died',
    description:
      'Lists the URLs at which several workers died, exports them as jobs for fanout fetch and fanout cluster feed, or sends them again: those of the run NAME, once it is complete, as the run NAME-retry-1.',
    operands: [
      {
        name: '[action]',
        help: 'list (the default), export or retry',
        suggestions: ['list', 'export', 'retry'],
      },
    ],
    options: deadOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster workers',
    summary: 'list the workers of a run',
    description:
      'Lists the workers of a run that are alive: name, version, chunks in hand, partitions, URLs, URLs per second, and how long ago they were heard of.',
    operands: [],
    options: workersOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster stop',
    summary: 'stop a run',
    description:
      'Stops a run on all machines, as --max-failures does: requests in flight are finished, and feeder, workers and collector end. To continue, use fanout cluster resume or run fanout cluster collect.',
    operands: [],
    options: stopOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster pause',
    summary: 'pause a run',
    description:
      'Pauses a run: its workers finish the chunks that they have, stay connected, and lease no more until fanout cluster resume.',
    operands: [],
    options: stopOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster resume',
    summary: 'continue a run that is paused or stopped',
    description:
      'Continues a run that is paused or stopped. Workers of a paused run go on by themselves; processes that a stop has ended must be started again.',
    operands: [],
    options: resumeOptions,
    examples: CLUSTER_EXAMPLES,
  },
  {
    name: 'cluster purge',
    summary: 'delete a run from its broker',
    description:
      'Deletes everything that a broker has of a run. Asks first if no collector has taken all results. What collectors have written is kept.',
    operands: [],
    options: purgeOptions,
    examples: CLUSTER_EXAMPLES,
  },
];

const FETCH_EXAMPLES = `
Examples:
  fanout fetch urls.txt                              fetch every URL of a file
  fanout fetch urls.txt -o results.jsonl             one JSON record per URL
  cat urls.txt | fanout fetch -I -c 100 -q           check links, show failures
  fanout fetch urls.txt --save-dir pages             save each page as a file
  fanout fetch urls.txt -H 'Authorization: $TOKEN'   a secret from the shell`;

const EXTRACT_EXAMPLES = `
Examples:
  fanout extract README.md                       the links of a document
  fanout extract docs | fanout fetch -I -q       check the links of a directory
  fanout extract 'docs/**/*.html' --json         where each link is

The list has the links that can be fetched. To check links to files as well, use fanout fetch --extract.`;

const REPORT_EXAMPLES = `
Examples:
  fanout report results.jsonl                           results as text, with a summary
  fanout report results.jsonl --format html -o a.html   a page for a browser
  fanout report a.jsonl b.jsonl --format junit          one report of two runs
  fanout fetch urls.txt --json | fanout report -q       only what is not OK

The exit code is 0 if the report could be made, whatever the results are. It is 2 if a line is not a result record, or the results in a shard cannot be read.`;

const DIFF_EXAMPLES = `
Examples:
  fanout diff old.jsonl new.jsonl                     what has changed between two runs
  fanout diff old.jsonl new.jsonl -q                  only what newly fails
  fanout diff old.jsonl - --format json < new.jsonl   for another program

The exit code is 1 if a URL newly fails. The URLs of OLD are held in memory, about 500 bytes each.`;

const COMPLETION_EXAMPLES = `
Examples:
  eval "$(fanout completion bash)"                                  in ~/.bashrc
  eval "$(fanout completion zsh)"                                   in ~/.zshrc, after compinit
  fanout completion fish > ~/.config/fish/completions/fanout.fish   once`;

const FETCH: CommandSpec = {
  name: 'fetch',
  summary: 'fetch every URL of a list',
  description: 'Fetches every URL of a list, and writes one result per URL as it finishes.',
  operands: [INPUTS],
  options: fetchOptions,
  common: COMMON_FETCH,
  examples: FETCH_EXAMPLES,
};

/** All commands, in the order of the help; `fetch` is the first. */
export const COMMANDS: readonly [CommandSpec, ...(readonly CommandSpec[])] = [
  FETCH,
  {
    name: 'extract',
    summary: 'print the links of documents as a list',
    description: 'Finds the links in documents, and prints those that can be fetched, one per line.',
    operands: [
      {
        name: '[files...]',
        help: 'documents, directories or patterns such as docs/**/*.md, or -; by default standard input',
        suggestions: 'files',
      },
    ],
    options: extractOptions,
    examples: EXTRACT_EXAMPLES,
  },
  {
    name: 'report',
    summary: 'make a report of results',
    description: 'Makes a report of results that fanout fetch --json has written.',
    operands: [
      {
        name: '[results...]',
        help: 'files of results (JSONL, .gz too), or -; by default standard input',
        suggestions: 'files',
      },
    ],
    options: reportCommandOptions,
    examples: REPORT_EXAMPLES,
  },
  {
    name: 'diff',
    summary: 'compare the results of two runs',
    description:
      'Compares the results of two runs: newly failing, fixed, moved, slower, changed and removed URLs.',
    operands: [
      {
        name: '<old>',
        help: 'results of the earlier run (JSONL, .gz too), or - for standard input',
        suggestions: 'files',
      },
      { name: '<new>', help: 'results of the later run', suggestions: 'files' },
    ],
    options: diffOptions,
    examples: DIFF_EXAMPLES,
  },
  ...CLUSTER_COMMANDS,
  {
    name: 'completion',
    summary: 'print completions for a shell',
    description: 'Prints a script that completes commands, flags, values and file names in a shell.',
    operands: [{ name: '<shell>', help: 'bash, zsh or fish', suggestions: ['bash', 'zsh', 'fish'] }],
    options: {},
    examples: COMPLETION_EXAMPLES,
  },
];

/** The command that the arguments begin with: `cluster` takes a second word. */
export function findSpec([word, next]: readonly string[]): CommandSpec | undefined {
  const name = word === 'cluster' ? `cluster ${next}` : word;
  return COMMANDS.find((spec) => spec.name === name);
}
