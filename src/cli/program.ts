import { Command, CommanderError, Option } from 'commander';
import { JOURNAL_CONFLICTS } from '../config/cluster-options.ts';
import type { Table } from '../config/option.ts';
import { redactedExcerpt } from '../input/parse-url.ts';
import { didYouMean } from '../model/did-you-mean.ts';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { COMMANDS, type CommandName, type CommandSpec, FETCH_EXAMPLES, toFlags } from './command-specs.ts';
import { EXIT } from './exit-code.ts';

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
  let exitCode: number = EXIT.ok;
  const root = createRoot(context);
  for (const spec of COMMANDS) {
    addCommand(root, spec, async (operands, flags) => {
      exitCode = await context.commands[spec.name](operands, flags);
    });
  }
  try {
    await root.parseAsync([...attachValues(args)], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (error instanceof CommanderError) context.writeError(`fanout: ${usageMessage(error, root)}\n`);
    else if (error instanceof UsageError) context.writeError(`fanout: ${error.message}\n`);
    else throw error;
    return EXIT.usage;
  }
}

function createRoot({ version, writeOut, columns }: ProgramContext): Command {
  return (
    new Command('fanout')
      .description('Fetches URL lists in bulk: N workers, a bounded queue, and a result for every URL.')
      .version(version, '-V, --version', 'show the version')
      .helpOption('-h, --help', 'show this help')
      .helpCommand('help [command]', 'show the help of a command')
      .configureOutput({
        writeOut,
        // `runProgram` writes errors, in its own words.
        writeErr: () => {},
        getOutHelpWidth: () => columns ?? 80,
        getErrHelpWidth: () => columns ?? 80,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      })
      .exitOverride()
      // Without this, a `-V` after `fetch` would show the version, even as the value of a flag.
      .enablePositionalOptions()
      .showSuggestionAfterError()
      .addHelpText('after', FETCH_EXAMPLES)
  );
}

function addCommand(
  root: Command,
  spec: CommandSpec,
  run: (operands: readonly string[], flags: Readonly<Record<string, unknown>>) => Promise<void>,
): void {
  const command = root
    .command(spec.name)
    .summary(spec.summary)
    .description(spec.description)
    .addHelpOption(new Option('-h, --help', 'show this help').helpGroup(`${spec.helpGroup}:`))
    .addHelpText('after', spec.examples);
  for (const { name, help } of spec.operands) command.argument(name, help);
  addFlags(command, spec.options);
  // `command.args` lists all operands; the arguments of the action would nest those of `[inputs...]`.
  command.action(() => run(command.args, givenFlags(command)));
}

/** Adds the flags of a table, group by group. Defaults are shown, but not set: the table sets them. */
function addFlags(command: Command, table: Table): void {
  for (const { spelling, value, help, group, defaultText, isRepeatable } of toFlags(table)) {
    const note = defaultText === undefined ? '' : ` (default: ${defaultText})`;
    const option = new Option(spelling.replace('[=', ' ['), `${help}${note}`).helpGroup(`${group}:`);
    command.addOption(isRepeatable ? option.argParser(append) : option);
    if (isRepeatable && value === undefined) collectFlags(command, option);
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
  const flags = COMMANDS.filter(({ name }) => name === args[0]).flatMap(({ options }) => toFlags(options));
  const attached = new Set(flags.flatMap(({ long, value }) => (value?.startsWith('[=') ? [long] : [])));
  const valued = flags.filter(({ value }) => value?.startsWith('<'));
  const takesNext = new Set<string | undefined>(valued.flatMap(({ short, long }) => [short, long]));
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return args.map((arg, index) =>
    attached.has(arg) && index < end && !takesNext.has(args[index - 1]) ? `${arg}=true` : arg,
  );
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

/** Returns what was wrong and, if that is clear, what to type instead, and a second line that names the help. */
function usageMessage(error: CommanderError, root: Command): string {
  // A flag before the command most likely belongs to the first command.
  const command = root.commands.find((one) => one.name() === root.args[0]) ?? root.commands[0] ?? root;
  return `${usageFault(error, root, command)}\nSee fanout --help and fanout ${command.name()} --help.`;
}

function usageFault(error: CommanderError, root: Command, command: Command): string {
  const [word, operand] = root.args;
  if (error.code === 'commander.unknownCommand') return unknownCommand(word ?? '', root);
  // commander has no message for `fanout help nonsense`, nor for `fanout` without arguments.
  if (error.code === 'commander.help') {
    return operand === undefined
      ? 'Cannot tell what to do: name a command, as in "fanout fetch urls.txt"'
      : unknownCommand(operand, root);
  }
  if (error.code === 'commander.unknownOption') return unknownOption(error.message, word, command);
  const text = error.message.replace(/^error: /, '');
  return printable(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
}

function unknownCommand(word: string, root: Command): string {
  const meant = didYouMean(word, ['help', ...root.commands.map((command) => command.name())]);
  const shown = redactedExcerpt(word); // it may be a URL with a password
  const advice =
    meant === undefined ? `to fetch URLs, type "fanout fetch ${shown}"` : `did you mean ${meant}?`;
  return `Cannot run "${shown}": it is no command of fanout; ${advice}`;
}

function unknownOption(message: string, word: string | undefined, command: Command): string {
  // What follows a `=`, or a single letter, may be a secret.
  const flag = /'(--[^'=\n]*|-[^'\n]?)/.exec(message)?.[1] ?? '';
  const option = command.options.find(({ long, short }) => flag === long || flag === short);
  if (option !== undefined && word !== command.name()) {
    return `Cannot use ${flag} here: it belongs after the command, as in "fanout ${command.name()} ${option.flags.replace(/^-\w, /, '')}"`;
  }
  const instead = command.name() === 'collect' ? JOURNAL_CONFLICTS[flag] : undefined;
  if (instead !== undefined) return `Cannot use ${flag}: ${instead}`;
  if (option !== undefined) return `Cannot use ${flag} with a value: it takes none`;
  const meant = flag.startsWith('--') ? didYouMean(flag, longFlags(command)) : undefined;
  const advice = meant === undefined ? '' : `, did you mean ${meant}?`;
  return `Cannot use ${printable(flag, 200)}: there is no such option${advice}`;
}

function longFlags(command: Command): readonly string[] {
  return command.options.flatMap(({ long }) => (typeof long === 'string' ? [long] : []));
}
