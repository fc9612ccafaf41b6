import { GROUPS, type Group } from '../config/option.ts';
import { COMMANDS, type CommandSpec, type Flag, longHelp, shortHelp, toFlags } from './command-specs.ts';
import { EXIT } from './exit-code.ts';

/** Width of the column of flags, including the space before it. */
const MAX_TERM_WIDTH = 30;

/** Wider text is hard to read. */
const MAX_WIDTH = 100;

/** On a narrower terminal, the text of a flag is below it, and the remark on an example too. */
const TWO_COLUMNS_WIDTH = 60;
const NARROW_INDENT = 10;

/** The word of `fanout help TOPIC` for each group. */
const TOPICS: Readonly<Record<Group, string>> = {
  Cluster: 'cluster',
  Input: 'input',
  Request: 'request',
  'Speed and politeness': 'speed',
  'Time, retries, size': 'time',
  'What counts as OK': 'ok',
  Output: 'output',
  Bodies: 'bodies',
  Resume: 'resume',
  'Reports and comparison': 'reports',
  Network: 'network',
  Configuration: 'configuration',
};

const EXIT_TOPIC = 'exit-codes';

/** The meaning of each exit code. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'every URL is OK, a warning, or known',
  failed: 'a URL failed, or was not fetched because the run was cut short',
  usage: 'wrong usage or configuration; an input that cannot be read; an empty list (unless --allow-empty)',
  output: 'an output, journal or body could not be written',
  unavailable: 'cluster commands: the broker could not be reached within --wait',
  accounting: 'the counts do not add up, which is a bug',
  SIGINT: 'SIGINT: interrupted, after the requests in flight were finished (10 s at most)',
  SIGTERM: 'SIGTERM: the same',
};

const [FETCH] = COMMANDS;
const FETCH_GROUPS = GROUPS.filter((group) => group !== 'Cluster');

/** All topics of `fanout help TOPIC`. */
export const HELP_TOPICS: readonly string[] = [...FETCH_GROUPS.map((group) => TOPICS[group]), EXIT_TOPIC];

/** `fanout` and `fanout -h`: the short help of `fetch`, and the names of the other commands. */
export function startPage(columns: number): string {
  return shortPage(FETCH, columns);
}

/** `fanout COMMAND -h`: usage, examples, and one line for each common option. */
export function shortPage(spec: CommandSpec, columns: number): string {
  const { name, options, common } = spec;
  const keys = common ?? Object.keys(options);
  const table = Object.fromEntries(
    keys.flatMap((key) => {
      const option = options[key];
      return option === undefined ? [] : [[key, { ...option, group: 'Output' as const }]];
    }),
  );
  const more = `Type "fanout ${name} --help" for all options, "fanout help" for other commands and topics.`;
  return page([
    ...head(spec, columns),
    exampleBlock(spec, columns),
    ...(keys.length === 0
      ? []
      : [`Options:\n${terms(toFlags(table), (flag) => lineHelp(flag, columns), columns)}`]),
    wrap(more, columns),
  ]);
}

/** `fanout COMMAND --help`: all options, and the exit codes last. */
export function longPage(spec: CommandSpec, columns: number): string {
  const flags = toFlags(spec.options);
  const operands = spec.operands.map(({ name, help }) => ({ term: name, text: help }));
  return page([
    ...head(spec, columns),
    ...(operands.length === 0 ? [] : [`Arguments:\n${definitions(operands, columns)}`]),
    exampleBlock(spec, columns),
    ...GROUPS.flatMap((group) => section(group, flags, columns)),
    ...notes(spec).map((note) => wrap(note, columns)),
    ...(hasRunExitCodes(spec) ? [exitCodes(columns, spec.name.startsWith('cluster '))] : []),
  ]);
}

/** `fanout help` and `fanout --help`: all commands and topics. */
export function overview(columns: number): string {
  const commands = COMMANDS.map(({ name, summary }) => ({ term: name, text: summary }));
  return page([
    wrap('Usage: fanout <command> [options] [arguments]', columns),
    `Commands:\n${definitions(commands, columns)}`,
    `Options:\n${definitions(
      [
        { term: '-h', text: 'show the common options; --help shows all' },
        { term: '-V, --version', text: 'show the version' },
      ],
      columns,
    )}`,
    wrap(`Topics of "fanout help TOPIC": ${HELP_TOPICS.join(', ')}.`, columns),
    wrap('Type "fanout help COMMAND" for all options of a command.', columns),
  ]);
}

/** `fanout cluster --help`: the commands of `cluster`. */
export function clusterPage(columns: number): string {
  const specs = COMMANDS.filter(({ name }) => name.startsWith('cluster '));
  return page([
    wrap('Usage: fanout cluster <command> [options] [arguments]', columns),
    wrap('Fetches one list on many machines over NATS JetStream.', columns),
    `Commands:\n${definitions(
      specs.map(({ name, summary }) => ({ term: name, text: summary })),
      columns,
    )}`,
    ...specs.slice(0, 1).map((spec) => exampleBlock(spec, columns)),
  ]);
}

/** `fanout help WORDS`: a command, or a topic; `undefined` if it is neither. */
export function helpPage(words: readonly string[], columns: number): string | undefined {
  const name = words.join(' ');
  if (name === '') return overview(columns);
  if (name === 'cluster') return clusterPage(columns);
  if (name === EXIT_TOPIC) return page([exitCodes(columns, true)]);
  const spec = COMMANDS.find((one) => one.name === name);
  if (spec !== undefined) return longPage(spec, columns);
  const group = FETCH_GROUPS.find((one) => TOPICS[one] === name);
  return group && page(section(group, toFlags(FETCH.options), columns));
}

function head({ name, description, operands, options }: CommandSpec, columns: number): readonly string[] {
  const hasFlags = Object.keys(options).length > 0;
  const usage = ['fanout', name, ...(hasFlags ? ['[options]'] : []), ...operands.map((one) => one.name)];
  return [wrap(`Usage: ${usage.join(' ')}`, columns), wrap(description, columns)];
}

function exampleBlock({ examples }: CommandSpec, columns: number): string {
  const block = examples.trim().split('\n\n')[0] ?? '';
  const lines = block.split('\n');
  if (lines.every((line) => line.length <= Math.max(columns, TWO_COLUMNS_WIDTH))) return block;
  return lines
    .map((line) => {
      const [command = '', remark] = line.trim().split(/ {2,}/);
      if (!line.startsWith(' ')) return wrap(command, columns);
      // A shell reads a command on several lines if each but the last ends in a backslash.
      const text = wrapWords(command.match(/(?:'[^']*'|"[^"]*"|\S)+/g) ?? [], columns - 6).join(' \\\n    ');
      return `  ${text}${remark === undefined ? '' : `\n${wrap(remark, columns, NARROW_INDENT)}`}`;
    })
    .join('\n');
}

/** The sentences below the examples. */
function notes({ examples }: CommandSpec): readonly string[] {
  return examples.trim().split('\n\n').slice(1);
}

/** Whether the exit codes are those of `fetch`. */
function hasRunExitCodes({ name }: CommandSpec): boolean {
  return name !== 'extract' && name !== 'report' && name !== 'diff' && name !== 'completion';
}

function section(group: Group, flags: readonly Flag[], columns: number): readonly string[] {
  const members = flags.filter((flag) => flag.group === group);
  return members.length === 0 ? [] : [`${group}:\n${terms(members, longHelp, columns)}`];
}

/** One line: with the default, if there is room for it. */
function lineHelp(flag: Flag, columns: number): string {
  const line = shortHelp(flag);
  return line.length <= Math.min(columns, MAX_WIDTH) - MAX_TERM_WIDTH ? line : flag.help;
}

function exitCodes(columns: number, isForCluster: boolean): string {
  const codes = Object.entries(EXIT).filter(([key]) => isForCluster || key !== 'unavailable');
  const rows = codes.map(([key, code]) => ({
    term: `${code}`,
    text: EXIT_MEANINGS[key as keyof typeof EXIT], // a key of EXIT
  }));
  return `Exit codes:\n${definitions(rows, columns)}`;
}

function terms(flags: readonly Flag[], toText: (flag: Flag) => string, columns: number): string {
  const rows = flags.map((flag) => ({
    // Long flags are below each other, whether or not there is a short one.
    term: `${flag.short === undefined ? '    ' : ''}${flag.spelling}`,
    text: toText(flag),
  }));
  return definitions(rows, columns);
}

interface Definition {
  readonly term: string;
  readonly text: string;
}

/** Two columns; the text of a long term starts on the next line, and that of every term on a narrow terminal. */
function definitions(rows: readonly Definition[], columns: number): string {
  const longest = Math.max(...rows.map(({ term }) => term.length));
  const indent = columns < TWO_COLUMNS_WIDTH ? NARROW_INDENT : Math.min(longest + 4, MAX_TERM_WIDTH);
  return rows
    .map(({ term, text }) => {
      const lines = wrap(text, columns, indent);
      return term.length + 4 <= indent
        ? `  ${term.padEnd(indent - 2)}${lines.trimStart()}`
        : `  ${term}\n${lines}`;
    })
    .join('\n');
}

/** Wraps text at the width, with each line indented. */
function wrap(text: string, columns: number, indent = 0): string {
  const lines = wrapWords(text.split(' '), Math.min(columns, MAX_WIDTH) - indent);
  return lines.map((line) => ' '.repeat(indent) + line).join('\n');
}

/** Lines of words, each as long as the width permits. */
function wrapWords(words: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > Math.max(width, 20)) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function page(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
