import { Command, CommanderError, Option } from 'commander';
import { GROUPS } from '../config/option.ts';
import { programOptions } from '../config/program-options.ts';
import { UsageError } from '../model/errors.ts';
import { addTable } from './add-table.ts';
import { usageMessage } from './usage-message.ts';

/** What the program needs of the world around it. */
export interface ProgramWorld {
  readonly version: string;
  /** Takes help and the version. */
  out(text: string): void;
  /** Takes messages about wrong usage. */
  err(text: string): void;
  /** Width of the terminal in characters; 80 if it is not known. */
  readonly columns?: number | undefined;
  /**
   * Runs `fanout fetch` and gives the exit code. `flags` has only what was really given, by key and not yet
   * parsed; a `UsageError` counts as wrong usage.
   */
  fetch(inputs: readonly string[], flags: Readonly<Record<string, unknown>>): Promise<number>;
}

export interface Program {
  /**
   * Runs the command that the arguments name (those after the name of the script), and gives the exit code: 0 after
   * help and version, 2 after wrong usage, otherwise that of the command. Errors of other kinds are thrown.
   */
  run(args: readonly string[]): Promise<number>;
}

const EXAMPLES = `
Examples:
  fanout fetch urls.txt                               fetch what the file lists
  fanout fetch urls.txt --json > results.jsonl        one JSON record for each URL
  cat urls.txt | fanout fetch -I -c 100 -q            check links, show those that fail
  fanout fetch urls.txt.gz --failed again.txt         keep the failed URLs as a new list
  fanout fetch urls.txt -H 'Authorization: $TOKEN'    a secret from the environment`;

const HINT = 'See fanout --help and fanout fetch --help.';

/** Builds the command line of fanout from the tables of options. */
export function buildProgram(world: ProgramWorld): Program {
  const outcome = { exitCode: 0 };
  const root = buildRoot(world);
  const fetch = addFetch(root, async (inputs, flags) => {
    outcome.exitCode = await world.fetch(inputs, flags);
  });
  return {
    async run(args) {
      try {
        await root.parseAsync([...args], { from: 'user' });
        return outcome.exitCode;
      } catch (error) {
        if (error instanceof CommanderError && error.exitCode === 0) return 0;
        if (error instanceof CommanderError)
          world.err(`fanout: ${usageMessage(error, root, fetch)}\n${HINT}\n`);
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
      .addHelpText('after', EXAMPLES)
  );
}

function addFetch(
  root: Command,
  run: (inputs: readonly string[], flags: Readonly<Record<string, unknown>>) => Promise<void>,
): Command {
  const fetch = root
    .command('fetch')
    .summary('fetch every URL of the inputs')
    .description('Fetches every URL of the inputs and writes one result for each, as they finish.')
    .argument(
      '[inputs...]',
      'files of URLs (also .gz), - for standard input, or URLs; standard input if there is none',
    )
    .addHelpOption(new Option('-h, --help', 'show this help').helpGroup(`${GROUPS[GROUPS.length - 1]}:`))
    .addHelpText('after', EXAMPLES);
  addTable(fetch, programOptions);
  return fetch.action((inputs: string[]) => run(inputs, givenFlags(fetch)));
}

// commander sets some keys by itself, such as the opposite of a `--no-` flag.
function givenFlags(command: Command): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === 'cli'),
  );
}
