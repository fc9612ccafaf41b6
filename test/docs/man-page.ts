import { type CommandSpec, type Flag, longHelp, toFlags } from '../../src/cli/command-specs.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { EXIT_MEANINGS } from '../../src/cli/help.ts';
import { GROUPS } from '../../src/config/option.ts';

/** Returns the man page in man(7) macros. Flags that a command shares with `fetch` are described there, and only named here. */
export function manPage(commands: readonly CommandSpec[], version: string): string {
  const [fetch] = commands;
  if (fetch === undefined) throw new Error('Cannot make the man page: there are no commands');
  const shown = new Set(toFlags(fetch.options).map(identity));
  const lines = [
    '.\\" Made by "npm run manual" from the tables of options.',
    `.TH FANOUT 1 ${DATE} "fanout ${version}" "User Commands"`,
    ...section('NAME'),
    'fanout \\- fetch URL lists in bulk',
    ...section('SYNOPSIS'),
    ...commands.flatMap((command, index) => [...(index === 0 ? [] : ['.br']), ...synopsis(command)]),
    ...section('DESCRIPTION'),
    text(ABOUT),
    ...section('COMMANDS'),
    ...commands.flatMap(({ name, description }) => item(`fanout ${name}`, description)),
    ...section('OPTIONS OF FANOUT FETCH'),
    ...groups(toFlags(fetch.options)),
    ...commands.slice(1).flatMap((command) => ownOptions(command, shown)),
    ...section('ENVIRONMENT'),
    ...item('FANOUT_OPTION', ENVIRONMENT),
    ...item('HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY', 'Proxies, unless --proxy is given.'),
    ...item('NO_COLOR, FORCE_COLOR', 'Whether to use colors if --color is auto.'),
    ...section('FILES'),
    ...item(
      'fanout.config.json',
      'Options by their long flags in camel case. It is read from the working directory.',
    ),
    ...section('EXIT STATUS'),
    ...Object.entries(EXIT).flatMap(([key, value]) =>
      item(`${value}`, EXIT_MEANINGS[key as keyof typeof EXIT]),
    ), // a key of EXIT
    ...section('EXAMPLES'),
    '.nf',
    ...fetch.examples
      .split('\n')
      .filter((line) => line.startsWith('  '))
      .map(escaped),
    '.fi',
    ...section('SEE ALSO'),
    '.BR curl (1),',
    '.BR jq (1),',
    '.BR xargs (1)',
  ];
  return `${lines.join('\n')}\n`;
}

// The formatters require a date. A constant keeps the page the same until its content changes.
const DATE = '2026-11-25';

const MAX_LINE = 78;

const ABOUT =
  'Fetches every URL of a list, politely to each host, and writes one result per URL. ' +
  'Results go to standard output as they finish; the progress bar, the summary and warnings go to standard error.';

const ENVIRONMENT =
  'Sets an option: FANOUT_MAX_SIZE=1mb is --max-size 1mb. Flags win over the environment, which wins over the configuration file. An unknown name is an error.';

function section(title: string): readonly string[] {
  return [`.SH ${title.includes(' ') ? `"${title}"` : title}`];
}

function synopsis({ name, options, operands }: CommandSpec): readonly string[] {
  const rest = [...(toFlags(options).length === 0 ? [] : ['[options]']), ...operands.map((one) => one.name)];
  return [`.B fanout ${name}`, ...(rest.length === 0 ? [] : [escaped(rest.join(' '))])];
}

function groups(flags: readonly Flag[]): readonly string[] {
  return GROUPS.flatMap((group) => {
    const inGroup = flags.filter((flag) => flag.group === group);
    return inGroup.length === 0 ? [] : [`.SS "${group}"`, ...inGroup.flatMap(flagItem)];
  });
}

/** Returns the flags that only this command has, and the names of those that it shares with `fetch`. */
function ownOptions({ name, options }: CommandSpec, shown: ReadonlySet<string>): readonly string[] {
  const flags = toFlags(options);
  const own = flags.filter((flag) => !shown.has(identity(flag)));
  const shared = flags.filter((flag) => shown.has(identity(flag))).map(({ long }) => long);
  if (flags.length === 0) return [];
  return [
    ...section(`OPTIONS OF FANOUT ${name.toUpperCase()}`),
    ...(shared.length === 0 ? [] : [text(`As for fanout fetch: ${shared.join(', ')}.`)]),
    ...own.flatMap(flagItem),
  ];
}

function identity({ spelling, help }: Flag): string {
  return `${spelling} ${help}`;
}

function flagItem(flag: Flag): readonly string[] {
  return item(flag.spelling, longHelp(flag));
}

function item(term: string, words: string): readonly string[] {
  return ['.TP', `.B ${escaped(term)}`, text(words)];
}

/** Wraps text to lines of 78 characters. */
function text(words: string): string {
  const lines: string[] = [];
  for (const word of words.split(' ').map(escaped)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= MAX_LINE) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map(guarded).join('\n');
}

/** Escapes text for man(7). A hyphen becomes a minus, so that flags can be searched and copied. */
function escaped(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll('"', '\\(dq');
}

/** Protects a line that begins with a dot or an apostrophe, which would be a request to the formatter. */
function guarded(line: string): string {
  return line.replace(/^(?=[.'])/, '\\&');
}
