import { setFlagsFromString } from 'node:v8';
import { packageVersion } from '../version.ts';
import { commandLoaders } from './command-loaders.ts';
import { exitCodeOf } from './exit-code.ts';
import { writeText } from './write-text.ts';

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
