import { Command, CommanderError, Option } from 'commander';
import { UsageError } from '../model/errors.ts';
import { addTable } from './add-table.ts';
import type { CommandSpec } from './command-spec.ts';
import { COMMANDS, FETCH_EXAMPLES } from './command-specs.ts';
import { usageMessage } from './usage-message.ts';

/**
 * Runs a command and gives the exit code. `flags` has only what was really given, by key and not yet parsed; a
 * `UsageError` counts as wrong usage.
 */
export type RunCommand = (
  operands: readonly string[],
  flags: Readonly<Record<string, unknown>>,
) => Promise<number>;

/** What the program needs of the world around it: among it, each command by its name. */
export interface ProgramWorld extends Readonly<Record<CommandSpec['name'], RunCommand>> {
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
export function buildProgram(world: ProgramWorld): Program {
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

function buildRoot({ version, out, columns }: ProgramWorld): Command {
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
