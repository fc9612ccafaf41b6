import { setFlagsFromString } from 'node:v8';
import { packageVersion } from '../model/version.ts';
import type { CommandSpec } from './command-specs.ts';
import { writeText } from './context.ts';
import { exitCodeOf } from './exit-code.ts';
import type { RunCommand } from './program.ts';

/** Each command by its name: what it needs is loaded when it is run. */
function commandLoaders(
  process: NodeJS.Process,
  version: string,
): Readonly<Record<CommandSpec['name'], RunCommand>> {
  return { ...loadersOfOneMachine(process, version), ...loadersOfMany(process, version) };
}

function loadersOfOneMachine(process: NodeJS.Process, version: string) {
  return {
    fetch: async (inputs, flags) => {
      const { fetchCommand } = await import('./commands/fetch.ts');
      return fetchCommand({ inputs, flags, process, version });
    },
    report: async (names, flags) => {
      const { reportCommand } = await import('./commands/report.ts');
      return reportCommand({ names, flags, process });
    },
    diff: async (names, flags) => {
      const { diffCommand } = await import('./commands/diff.ts');
      return diffCommand({ names, flags, process });
    },
  } satisfies Partial<Record<CommandSpec['name'], RunCommand>>;
}

function loadersOfMany(process: NodeJS.Process, version: string) {
  return {
    feed: async (inputs, flags) => {
      const { feedCommand } = await import('./commands/feed.ts');
      return feedCommand({ inputs, flags, process });
    },
    work: async (_, flags) => {
      const { workCommand } = await import('./commands/work.ts');
      return workCommand({ flags, process, version });
    },
    collect: async (_, flags) => {
      const { collectCommand } = await import('./commands/collect.ts');
      return collectCommand({ flags, process, version });
    },
    status: async (_, flags) => {
      const { statusCommand } = await import('./commands/cluster-admin.ts');
      return statusCommand({ flags, process });
    },
    dead: async ([action = 'list'], flags) => {
      const { deadCommand } = await import('./commands/dead.ts');
      return deadCommand({ action, flags, process });
    },
    purge: async (_, flags) => {
      const { purgeCommand } = await import('./commands/cluster-admin.ts');
      return purgeCommand({ flags, process });
    },
    completion: async ([shell = '']) => {
      const { completionCommand } = await import('./commands/completion.ts');
      return completionCommand({ shell, process });
    },
  } satisfies Partial<Record<CommandSpec['name'], RunCommand>>;
}

/**
 * Runs the program and gives its exit code. What a command does not need is not loaded, since most runs are short.
 * An error that is a bug is thrown, so that Node shows where it came from.
 */
export async function main(process: NodeJS.Process): Promise<number> {
  const args = process.argv.slice(2);
  const version = packageVersion();
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    writeText(process.stdout, `${version}\n`);
    return 0;
  }
  // undici's parser is so large that V8 would optimise it, in the background, for the first few answers already, and the
  // process could not end before that is done: a third of the time of a short run. Long runs are optimised soon enough.
  setFlagsFromString('--wasm-tiering-budget=100000000');
  // A regular expression of a list goes on in linear time where it would otherwise take for ever on a body made for it.
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  const { buildProgram } = await import('./program.ts');
  const program = buildProgram({
    version,
    out: (text) => writeText(process.stdout, text),
    err: (text) => writeText(process.stderr, text),
    columns: process.stdout.columns,
    ...commandLoaders(process, version),
  });
  try {
    return await program.run(args);
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === undefined) throw error;
    writeText(process.stderr, `fanout: ${(error as Error).message}\n`); // one of our own errors
    return code;
  }
}
