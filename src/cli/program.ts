import { Command, CommanderError, Option } from 'commander';
import { redactedExcerpt } from '../input/parse-url.ts';
import { didYouMean } from '../model/did-you-mean.ts';
import { UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import {
  COMMANDS,
  type CommandName,
  type CommandSpec,
  type Flag,
  findSpec,
  toFlags,
} from './command-specs.ts';
import { EXIT } from './exit-code.ts';
import { clusterPage, HELP_TOPICS, helpPage, longPage, overview, shortPage, startPage } from './help.ts';
import { errorText } from './terminal.ts';

/** The code of the error for `fanout help WORD` with an unknown word. */
const UNKNOWN_TOPIC = 'fanout.unknownTopic';

/** The code of the error for a long flag with one dash, as in `-concurrency 5`, which commander reads as `-c oncurrency`. */
const ONE_DASH = 'fanout.oneDash';

/** The code of the error for `--flag 3`, where the value of the flag must follow a `=`. */
const DETACHED_VALUE = 'fanout.detachedValue';

/** The code of the error for a second value of an option that has one. */
const GIVEN_TWICE = 'fanout.givenTwice';

/** Options whose second value would silently replace the first, though both are meant; beside those that name a file. */
const ONCE: ReadonlySet<string> = new Set(['--data', '--json-body']);

const TIMES =
  'use -m, --timeout D to limit each attempt, --deadline D to limit the run, or --expect-time D to fail slow responses';
const CONCURRENCY = 'use -c, --concurrency N';
const BODIES = 'use --save-dir DIR to save bodies';
const STATUSES = 'a status of 400 or more is a failure by default (see --accept)';
const HEADERS = 'use --json --record headers';
const COOKIES = "use -H 'Cookie: NAME=VALUE'";
const DATA = 'use -d DATA, or -d @FILE';
const OPERANDS = 'give URLs and lists as arguments';
const RESUME = 'use --journal FILE to continue a run, and --resume-partial to continue partial files';

/** What to use instead of flags of other programs, and of earlier names. */
const FOREIGN_FLAGS: ReadonlyMap<string, string> = new Map([
  ['-L', 'redirects are followed by default (see --max-redirects)'],
  ['--location', 'redirects are followed by default (see --max-redirects)'],
  ['--follow', 'redirects are followed by default (see --max-redirects)'],
  ['-s', 'use -q to omit OK lines, or --silent to print nothing'],
  ['-O', BODIES],
  ['--remote-name', BODIES],
  ['--output-dir', BODIES],
  ['-P', `${CONCURRENCY} for requests in parallel, or --save-dir DIR to save bodies`],
  ['-j', CONCURRENCY],
  ['--jobs', CONCURRENCY],
  ['--parallel', CONCURRENCY],
  ['--workers', CONCURRENCY],
  ['--retry', 'use --retries N'],
  ['-t', 'use --retries N'],
  ['--tries', 'use --retries N'],
  ['-f', STATUSES],
  ['--fail', STATUSES],
  ['-i', HEADERS],
  ['-w', 'use --template TEXT'],
  ['--write-out', 'use --template TEXT'],
  ['-x', 'use --proxy URL'],
  ['--socks5', 'use --proxy socks5://HOST:PORT'],
  ['--socks5-hostname', 'use --proxy socks5h://HOST:PORT'],
  ['--socks4', 'use --proxy socks4://HOST:PORT'],
  ['--socks4a', 'use --proxy socks4a://HOST:PORT'],
  ['--noproxy', 'set the variable NO_PROXY'],
  ['-b', COOKIES],
  ['--cookie', COOKIES],
  ['--data-raw', DATA],
  ['--data-binary', DATA],
  ['--upload-file', 'use -X PUT -d @FILE'],
  ['-T', 'use -X PUT -d @FILE'],
  ['--compressed', 'responses are decompressed by default (see --no-decompress)'],
  ['--url', OPERANDS],
  ['--input-file', OPERANDS],
  ['-C', RESUME],
  ['--continue', RESUME],
  ['--continue-at', RESUME],
  ['--resume', RESUME],
  ['--spider', 'use -I'],
  ['--no-check-certificate', 'use -k'],
  ['--wait', 'use --host-rate N/s'],
  ['--limit-rate', 'use --rate N/s to limit requests; nothing limits bytes'],
  ['--no-color', 'use --color never'],
  ['--max-time', TIMES],
  ['--state', 'use --flaky-state FILE'],
  ['--name', 'use --save-as TEMPLATE'],
  ['--queue', 'use --queue-size N'],
]);

const NO_DOCUMENTS =
  'a cluster run reads lists: write one with "fanout extract DOCUMENT... -o links.txt", and feed that';

const NO_JOURNAL = 'a cluster run keeps its results in the broker, and continues from there';

/**
 * Runs a command and resolves to the exit code. `flags` contains only the flags that were given, by key, not yet parsed.
 * Throws a `UsageError` for wrong usage.
 */
export type RunCommand = (
  operands: readonly string[],
  flags: Readonly<Record<string, unknown>>,
) => Promise<number>;

export interface ProgramContext {
  readonly version: string;
  readonly commands: Readonly<Record<CommandName, RunCommand>>;
  /** Writes help and version. */
  readonly writeOut: (text: string) => void;
  /** Writes messages about wrong usage. */
  readonly writeError: (text: string) => void;
  /** The width of the terminal in characters; 80 if unset. */
  readonly columns?: number | undefined;
}

/**
 * Runs the command that the arguments name; `args` starts after the name of the script. Resolves to the exit code: 0 after help
 * and version, 2 after wrong usage, otherwise that of the command. Errors that are not a `UsageError` are thrown.
 */
export async function runProgram(args: readonly string[], context: ProgramContext): Promise<number> {
  const { columns = 80, writeOut, writeError, commands } = context;
  if (args.length === 0) {
    writeError(startPage(columns));
    return EXIT.usage;
  }
  let exitCode: number = EXIT.ok;
  const isLong = args.includes('--help');
  const root = createRoot(context, () => (isLong ? overview(columns) : startPage(columns)));
  const cluster = addSilent(root, 'cluster', () => clusterPage(columns));
  for (const spec of COMMANDS) {
    const [name = '', subcommand] = spec.name.split(' ');
    const command = addSilent(subcommand === undefined ? root : cluster, subcommand ?? name, () =>
      isLong ? longPage(spec, columns) : shortPage(spec, columns),
    );
    describeCommand(command, spec);
    // `command.args` lists all operands; the arguments of the action would nest those of `[inputs...]`.
    command.action(async () => {
      exitCode = await commands[spec.name](command.args, givenFlags(command));
    });
  }
  const help = addSilent(root, 'help', () => overview(columns)).argument('[words...]');
  help.action(() => {
    const text = helpPage(help.args, columns);
    if (text === undefined) throw new CommanderError(EXIT.usage, UNKNOWN_TOPIC, '');
    writeOut(text);
  });
  try {
    refuseOneDash(args);
    refuseDetachedValue(args);
    await root.parseAsync([...attachValues(args)], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (error instanceof CommanderError && error.code === 'commander.help') writeError(clusterPage(columns));
    else if (error instanceof CommanderError) writeError(`${errorText(usageMessage(error, args))}\n`);
    else if (error instanceof UsageError) writeError(`${errorText(error.message)}\n`);
    else throw error;
    return EXIT.usage;
  }
}

function createRoot({ version, writeOut }: ProgramContext, formatHelp: () => string): Command {
  return (
    new Command('fanout')
      .version(version, '-V, --version')
      .helpOption('-h, --help')
      .helpCommand(false)
      .configureHelp({ formatHelp })
      .configureOutput({
        writeOut,
        // `runProgram` writes errors, in its own words.
        writeErr: () => {},
      })
      .exitOverride()
      // Without this, a `-V` after `fetch` would show the version, even as the value of a flag.
      .enablePositionalOptions()
      .showSuggestionAfterError(false)
  );
}

/** Adds a command that inherits the settings of its parent, except the help. */
function addSilent(parent: Command, name: string, formatHelp: () => string): Command {
  return parent.command(name).helpOption('-h, --help').helpCommand(false).configureHelp({ formatHelp });
}

/** Adds operands and flags. Defaults are not set: the table sets them. */
function describeCommand(command: Command, { operands, options }: CommandSpec): void {
  for (const { name } of operands) command.argument(name);
  for (const flag of toFlags(options)) {
    const option = new Option(flag.spelling.replace('[=', ' ['));
    if (flag.isRepeatable) option.argParser(append);
    else if (isGivenOnce(flag)) option.argParser(once(flag.long));
    command.addOption(option);
    if (flag.isRepeatable && flag.value === undefined) collectFlags(command, option);
  }
}

/** Makes the value of a flag without a value a list with `true` for each time it is given. commander calls no parser for it. */
function collectFlags(command: Command, option: Option): void {
  const given: true[] = [];
  command.on(`option:${option.name()}`, () => {
    given.push(true);
    command.setOptionValueWithSource(option.attributeName(), [...given], 'cli');
  });
}

/** Makes `--flag` of a flag `--flag[=n]` into `--flag=true`: commander would take the next operand for its value. */
function attachValues(args: readonly string[]): readonly string[] {
  const flags = toFlags(findSpec(args)?.options ?? {});
  const attached = new Set(flags.flatMap(({ long, value }) => (value?.startsWith('[=') ? [long] : [])));
  const isFlag = flagFinder(args, flags);
  return args.map((arg, index) => (attached.has(arg) && isFlag(index) ? `${arg}=true` : arg));
}

/** Returns a function for whether the argument at an index is neither an operand after `--` nor the value of a flag. */
function flagFinder(args: readonly string[], flags: readonly Flag[]): (index: number) => boolean {
  const valued = flags.filter(({ value }) => value?.startsWith('<'));
  const takesNext = new Set<string | undefined>(valued.flatMap(({ short, long }) => [short, long]));
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return (index) => index < end && !takesNext.has(args[index - 1]);
}

function refuseOneDash(args: readonly string[]): void {
  const flags = toFlags(findSpec(args)?.options ?? {});
  const longs = new Set(flags.map(({ long }) => long));
  const isFlag = flagFinder(args, flags);
  const flag = args
    .map((arg) => arg.split('=', 1)[0] ?? '')
    .find((arg, at) => longs.has(`-${arg}`) && isFlag(at));
  if (flag !== undefined) throw new CommanderError(EXIT.usage, ONE_DASH, flag);
}

function refuseDetachedValue(args: readonly string[]): void {
  const flags = toFlags(findSpec(args)?.options ?? {}).filter(({ value }) => value?.startsWith('[='));
  const isFlag = flagFinder(args, flags);
  const at = args.findIndex(
    (arg, index) =>
      flags.some(({ long }) => long === arg) && isFlag(index) && /^\d+$/.test(args[index + 1] ?? ''),
  );
  if (at !== -1) throw new CommanderError(EXIT.usage, DETACHED_VALUE, `${args[at]}=${args[at + 1]}`);
}

function isGivenOnce({ long, value, suggestions }: Flag): boolean {
  return (
    value?.startsWith('<') === true &&
    (suggestions === 'files' || suggestions === 'directories' || ONCE.has(long))
  );
}

function once(flag: string): (value: string, before: string | undefined) => string {
  return (value, before) => {
    if (before !== undefined && before !== value) throw new CommanderError(EXIT.usage, GIVEN_TWICE, flag);
    return value;
  };
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

// commander sets some keys itself, such as the opposite of a `--no-` flag.
function givenFlags(command: Command): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === 'cli'),
  );
}

/** What was wrong and, if that is clear, what to type instead, and a second line that names the help. */
function usageMessage(error: CommanderError, args: readonly string[]): string {
  // A flag before the command most likely belongs to the first command.
  const spec = findSpec(args) ?? COMMANDS[0];
  const help = args[0] === 'cluster' && findSpec(args) === undefined ? 'cluster' : spec.name;
  return `${usageFault(error, args, spec)}\nFor help: fanout ${help} --help`;
}

function usageFault({ code, message }: CommanderError, args: readonly string[], spec: CommandSpec): string {
  if (code === UNKNOWN_TOPIC) return unknownTopic(args.slice(1).join(' '));
  if (code === ONE_DASH) return `unknown option ${message}; did you mean -${message}?`;
  if (code === DETACHED_VALUE)
    return `the value of ${message.replace(/=.*/, '')} must follow a "=": ${message}`;
  if (code === GIVEN_TWICE) return `${message} is given twice, with different values; give it once`;
  if (code === 'commander.unknownCommand') return unknownCommand(args);
  if (code === 'commander.unknownOption') return unknownOption(message, args, spec);
  if (code === 'commander.optionMissingArgument') {
    return `missing value for ${/'(.*)'/.exec(message)?.[1] ?? 'an option'}`;
  }
  if (code === 'commander.missingArgument') return `missing argument <${/'(.*)'/.exec(message)?.[1] ?? ''}>`;
  if (code === 'commander.excessArguments') return 'too many arguments';
  return excerpt(message.replace(/^error: /, ''), 2000);
}

function unknownCommand(args: readonly string[]): string {
  const isCluster = args[0] === 'cluster';
  const prefix = isCluster ? 'cluster ' : '';
  const names = COMMANDS.map(({ name }) => name).filter((name) => name.startsWith('cluster ') === isCluster);
  // The first operand; the flags before it were accepted.
  const word = args.slice(isCluster ? 1 : 0).find((arg) => !arg.startsWith('-') || arg === '-') ?? '';
  const shown = redactedExcerpt(word); // it may be a URL with a password
  const moved = COMMANDS.find(({ name }) => name === `cluster ${word}`);
  if (moved !== undefined && !isCluster) return `unknown command "${shown}"; did you mean "${moved.name}"?`;
  if (word === 'version' && !isCluster) return 'unknown command "version"; did you mean "--version"?';
  const meant = didYouMean(
    word,
    names.map((name) => name.slice(prefix.length)).concat(isCluster ? [] : ['help', 'cluster']),
  );
  if (meant !== undefined) return `unknown command "${prefix}${shown}"; did you mean "${prefix}${meant}"?`;
  if (isCluster) return `unknown command "${prefix}${shown}"`;
  // `fanout get urls.txt` has a wrong command; `fanout urls.txt` has none.
  const next = args[args.indexOf(word) + 1] ?? '-';
  const input = /[./:]/.test(word) || next.startsWith('-') ? shown : redactedExcerpt(next);
  return `unknown command "${shown}"; to fetch URLs, type "fanout fetch ${input}"`;
}

function unknownTopic(words: string): string {
  const meant = didYouMean(words, [...HELP_TOPICS, ...COMMANDS.map(({ name }) => name)]);
  const advice =
    meant === undefined ? `; the topics are ${HELP_TOPICS.join(', ')}` : `; did you mean "${meant}"?`;
  return `no help for "${redactedExcerpt(words)}"${advice}`;
}

function unknownOption(message: string, args: readonly string[], spec: CommandSpec): string {
  // What follows a `=`, or a single letter, may be a secret.
  const flag = /'(--[^'=\n]*|-[^'\n]?)/.exec(message)?.[1] ?? '';
  const known = toFlags(spec.options).find(({ long, short }) => flag === long || flag === short);
  if (known !== undefined && findSpec(args) === undefined) {
    return `${flag} belongs after the command: fanout ${spec.name} ${longSpelling(known)}`;
  }
  if (known !== undefined) return `${flag} takes no value`;
  const instead =
    otherCommandFlag(flag, spec) ?? ('concurrency' in spec.options ? FOREIGN_FLAGS.get(flag) : undefined);
  if (instead !== undefined) return `there is no option ${flag} here: ${instead}`;
  const meant = flag.startsWith('--') ? didYouMean(flag, longFlags(spec)) : undefined;
  const advice = meant === undefined ? '' : `; did you mean ${meant}?`;
  return `unknown option ${excerpt(flag)}${advice}`;
}

function longSpelling({ long, value }: Flag): string {
  return value === undefined ? long : `${long}${value.startsWith('[=') ? '' : ' '}${value}`;
}

function longFlags({ options }: CommandSpec): readonly string[] {
  return toFlags(options).map(({ long }) => long);
}

/** The same for flags that only some commands do not have. */
function otherCommandFlag(flag: string, { name, options }: CommandSpec): string | undefined {
  if (!name.startsWith('cluster ')) {
    const isCluster = COMMANDS.some((one) => one.name === 'cluster fetch' && longFlags(one).includes(flag));
    return name === 'fetch' && isCluster && !FOREIGN_FLAGS.has(flag)
      ? 'use "fanout cluster fetch"'
      : undefined;
  }
  if (flag === '--journal') return NO_JOURNAL;
  if (['--extract', '--base-url', '--root-dir'].includes(flag)) return NO_DOCUMENTS;
  if (flag === '--keep-failed')
    return `${NO_JOURNAL}; to fetch failed URLs again, start another run with --failed`;
  if (flag === '--threads' && 'concurrency' in options) return 'start "fanout cluster work" once per core';
  return undefined;
}
