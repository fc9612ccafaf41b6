import { Command, CommanderError, Option } from 'commander';
import { IN_PLACE_OF_JOURNAL } from '../config/cluster-options.ts';
import type { Table } from '../config/option.ts';
import { excerpt } from '../input/parse-url.ts';
import { didYouMean } from '../model/did-you-mean.ts';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { COMMANDS, type CommandSpec, FETCH_EXAMPLES, flagsOf } from './command-specs.ts';

/** Says what was wrong with the arguments, what to type instead where that is clear, and on a second line where help is. */
function usageMessage(error: CommanderError, root: Command): string {
  // A flag that stands before its command most likely belongs to the first one.
  const command = root.commands.find((one) => one.name() === root.args[0]) ?? root.commands[0] ?? root;
  return `${fault(error, root, command)}\nSee fanout --help and fanout ${command.name()} --help.`;
}

function fault(error: CommanderError, root: Command, command: Command): string {
  // After `fanout help nonsense`, and after no arguments at all, commander has no message of its own.
  const [word, operand] = root.args;
  if (error.code === 'commander.unknownCommand') return unknownCommand(word ?? '', root);
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
  const shown = excerpt(word); // it may be a URL with a password
  const advice =
    meant === undefined ? `to fetch URLs, type "fanout fetch ${shown}"` : `did you mean ${meant}?`;
  return `Cannot run "${shown}": it is no command of fanout; ${advice}`;
}

function unknownOption(message: string, word: string | undefined, command: Command): string {
  // What stands behind a `=`, or right behind a single letter, may be a secret.
  const flag = /'(--[^'=\n]*|-[^'\n]?)/.exec(message)?.[1] ?? '';
  const known = command.options.find(({ long, short }) => flag === long || flag === short);
  if (known !== undefined && word !== command.name()) {
    return `Cannot use ${flag} here: it belongs after the command, as in "fanout ${command.name()} ${known.flags.replace(/^-\w, /, '')}"`;
  }
  const instead = command.name() === 'collect' ? IN_PLACE_OF_JOURNAL[flag] : undefined;
  if (instead !== undefined) return `Cannot use ${flag}: ${instead}`;
  const meant = flag.startsWith('--') ? didYouMean(flag, longFlags(command)) : undefined;
  const advice = meant === undefined ? '' : `, did you mean ${meant}?`;
  if (known !== undefined) return `Cannot use ${flag} with a value: it takes none`;
  return `Cannot use ${printable(flag, 200)}: there is no such option${advice}`;
}

function longFlags(command: Command): readonly string[] {
  return command.options.flatMap(({ long }) => (typeof long === 'string' ? [long] : []));
}

/** Adds the options of a table to a command, group by group. Defaults are shown, but not set: the table has them. */
function addTable(command: Command, table: Table): void {
  for (const { spelling, help, group, defaultText, isRepeatable } of flagsOf(table)) {
    const note = defaultText === undefined ? '' : ` (default: ${defaultText})`;
    const option = new Option(spelling, `${help}${note}`).helpGroup(`${group}:`);
    command.addOption(isRepeatable ? option.argParser(append) : option);
  }
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/**
 * Runs a command and gives the exit code. `flags` has only what was really given, by key and not yet parsed; a
 * `UsageError` counts as wrong usage.
 */
export type RunCommand = (
  operands: readonly string[],
  flags: Readonly<Record<string, unknown>>,
) => Promise<number>;

/** What the program needs of the world around it: among it, each command by its name. */
export interface ProgramContext extends Readonly<Record<CommandSpec['name'], RunCommand>> {
  readonly version: string;
  /** Takes help and the version. */
  out(text: string): void;
  /** Takes messages about wrong usage. */
  err(text: string): void;
  /** Width of the terminal in characters; 80 if it is not known. */
  readonly columns?: number | undefined;
}

export interface Program {
  /**
   * Runs the command that the arguments name (those after the name of the script), and gives the exit code: 0 after
   * help and version, 2 after wrong usage, otherwise that of the command. Errors of other kinds are thrown.
   */
  run(args: readonly string[]): Promise<number>;
}

/** Builds the command line of fanout from the tables of options. */
export function buildProgram(world: ProgramContext): Program {
  const outcome = { exitCode: 0 };
  const root = buildRoot(world);
  for (const spec of COMMANDS) {
    addCommand(root, spec, async (operands, flags) => {
      outcome.exitCode = await world[spec.name](operands, flags);
    });
  }
  return {
    async run(args) {
      try {
        await root.parseAsync([...args], { from: 'user' });
        return outcome.exitCode;
      } catch (error) {
        if (error instanceof CommanderError && error.exitCode === 0) return 0;
        if (error instanceof CommanderError) world.err(`fanout: ${usageMessage(error, root)}\n`);
        else if (error instanceof UsageError) world.err(`fanout: ${error.message}\n`);
        else throw error;
        return 2;
      }
    },
  };
}

function buildRoot({ version, out, columns }: ProgramContext): Command {
  return (
    new Command('fanout')
      .description('Fetches URL lists in bulk: N workers, a bounded queue, and a result for every URL.')
      .version(version, '-V, --version', 'show the version')
      .helpOption('-h, --help', 'show this help')
      .helpCommand('help [command]', 'show the help of a command')
      .configureOutput({
        writeOut: out,
        // Errors are written by `run`, in the words of this program.
        writeErr: () => {},
        getOutHelpWidth: () => columns ?? 80,
        getErrHelpWidth: () => columns ?? 80,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      })
      .exitOverride()
      // Otherwise a `-V` after `fetch` would be taken here, also where it is the value of a flag.
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
  addTable(command, spec.options);
  // commander hands on one argument for each operand; `args` has them one after the other, also where the last one repeats.
  command.action(() => run(command.args, givenFlags(command)));
}

// commander sets some keys by itself, such as the opposite of a `--no-` flag.
function givenFlags(command: Command): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === 'cli'),
  );
}
