import { setFlagsFromString } from 'node:v8';
import type { ControlAction } from '../cluster/run-state.ts';
import { packageVersion } from '../model/version.ts';
import type { CommandName } from './command-specs.ts';
import { toExitCode } from './exit-code.ts';
import type { RunCommand } from './program.ts';
import { createMessages, errorText, logsJson, setLogFormat, writeText } from './terminal.ts';

/**
 * Runs the program and resolves to its exit code. Code is loaded on use, because most runs are short.
 * An error that is a bug is thrown, so that Node shows its stack.
 */
export async function main(process: NodeJS.Process): Promise<number> {
  const args = process.argv.slice(2);
  process.title = processTitle(args);
  const version = packageVersion();
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    writeText(process.stdout, `${version}\n`);
    return 0;
  }
  return runCommandLine(args, process, version);
}

/**
 * Sets flags of V8 once the code of a command is loaded. Before that, V8 would refuse the compiled code that Node brings with
 * it, and a run of one URL would take a tenth longer.
 */
async function withEngineFlags<T>(loading: Promise<T>): Promise<T> {
  const loaded = await loading;
  // V8 would optimise undici's large WebAssembly parser after a few responses, in the background: 150 ms and 40 MB, for which
  // the end of the process waits. The largest budget there is lasts for about 200 responses.
  setFlagsFromString('--wasm-tiering-budget=2147483647');
  // One of our own regular expressions that backtracks too much is run in linear time. Those of users never backtrack.
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  return loaded;
}

/** What `ps` shows instead of the arguments, which every user of the machine can read and which may contain secrets. */
function processTitle([command = '', subcommand = '']: readonly string[]): string {
  const words = command === 'cluster' ? [command, subcommand] : [command];
  return ['fanout', ...words.filter((word) => /^[a-z]{1,12}$/.test(word))].join(' ');
}

/**
 * Runs a command line with `process` as its world, and resolves to the exit code. An error that is a bug is thrown.
 */
export async function runCommandLine(
  args: readonly string[],
  process: NodeJS.Process,
  version: string,
): Promise<number> {
  const { runProgram } = await import('./program.ts');
  const [command, role = ''] = args;
  if (command === 'cluster' && wantsJsonLog(args, process.env)) setLogFormat(process.stderr, { role });
  try {
    return await runProgram(args, {
      version,
      commands: createCommands(process, version),
      writeOut: (text) => writeText(process.stdout, text),
      writeError: (text) => {
        if (logsJson(process.stderr)) createMessages(process).error(text.trim().replace(/^error: /, ''));
        else writeText(process.stderr, text);
      },
      columns: process.stdout.columns,
    });
  } catch (error) {
    const code = toExitCode(error);
    if (code === undefined) throw error;
    const { message } = error as Error; // `toExitCode` returned a code
    if (logsJson(process.stderr)) createMessages(process).error(message, { exitCode: code });
    else writeText(process.stderr, `${errorText(message)}\n`);
    return code;
  }
}

/** Whether messages about wrong usage are lines of JSON, too. The configuration file is not read yet. */
function wantsJsonLog(args: readonly string[], { FANOUT_LOG }: NodeJS.ProcessEnv): boolean {
  const given = args.findLast((arg, at) => arg.startsWith('--log=') || args[at - 1] === '--log');
  return (given?.replace('--log=', '') ?? FANOUT_LOG) === 'json';
}

function createCommands(process: NodeJS.Process, version: string): Readonly<Record<CommandName, RunCommand>> {
  const control = async (action: ControlAction, flags: Readonly<Record<string, unknown>>) => {
    const { controlCommand } = await withEngineFlags(import('./commands/cluster-admin.ts'));
    return controlCommand({ action, flags, process });
  };
  return {
    fetch: async (inputs, flags) => {
      const { fetchCommand } = await withEngineFlags(import('./commands/fetch.ts'));
      return fetchCommand({ inputs, flags, process, version });
    },
    extract: async (names, flags) => {
      const { extractCommand } = await withEngineFlags(import('./commands/extract.ts'));
      return extractCommand({ names, flags, process });
    },
    report: async (names, flags) => {
      const { reportCommand } = await withEngineFlags(import('./commands/report.ts'));
      return reportCommand({ names, flags, process });
    },
    diff: async (names, flags) => {
      const { diffCommand } = await withEngineFlags(import('./commands/diff.ts'));
      return diffCommand({ names, flags, process });
    },
    'cluster fetch': async (inputs, flags) => {
      const { clusterFetchCommand } = await withEngineFlags(import('./commands/fetch-cluster.ts'));
      return clusterFetchCommand({ inputs, flags, process, version });
    },
    'cluster feed': async (inputs, flags) => {
      const { feedCommand } = await withEngineFlags(import('./commands/feed.ts'));
      return feedCommand({ inputs, flags, process });
    },
    'cluster work': async (_, flags) => {
      const { workCommand } = await withEngineFlags(import('./commands/work.ts'));
      return workCommand({ flags, process, version });
    },
    'cluster collect': async (_, flags) => {
      const { collectCommand } = await withEngineFlags(import('./commands/collect.ts'));
      return collectCommand({ flags, process, version });
    },
    'cluster status': async (_, flags) => {
      const { statusCommand } = await withEngineFlags(import('./commands/cluster-admin.ts'));
      return statusCommand({ flags, process });
    },
    'cluster runs': async (_, flags) => {
      const { runsCommand } = await withEngineFlags(import('./commands/cluster-admin.ts'));
      return runsCommand({ flags, process });
    },
    'cluster dead': async ([action = 'list'], flags) => {
      const { deadCommand } = await withEngineFlags(import('./commands/cluster-admin.ts'));
      return deadCommand({ action, flags, process });
    },
    'cluster workers': async (_, flags) => {
      const { workersCommand } = await withEngineFlags(import('./commands/cluster-admin.ts'));
      return workersCommand({ flags, process });
    },
    'cluster stop': async (_, flags) => control('stop', flags),
    'cluster pause': async (_, flags) => control('pause', flags),
    'cluster resume': async (_, flags) => control('resume', flags),
    'cluster purge': async (_, flags) => {
      const { purgeCommand } = await withEngineFlags(import('./commands/cluster-admin.ts'));
      return purgeCommand({ flags, process });
    },
    completion: async ([shell = '']) => {
      const { completionCommand } = await withEngineFlags(import('./commands/completion.ts'));
      return completionCommand({ shell, process });
    },
  };
}
