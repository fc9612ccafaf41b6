import { packageVersion } from '../version.ts';
import { exitCodeOf } from './exit-code.ts';

/**
 * Runs the program and gives its exit code. What a command does not need is not loaded, since most runs are short.
 * An error that is a bug is thrown, so that Node shows where it came from.
 */
export async function main(process: NodeJS.Process): Promise<number> {
  const args = process.argv.slice(2);
  const version = packageVersion();
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    write(process.stdout, `${version}\n`);
    return 0;
  }
  const { buildProgram } = await import('./program.ts');
  const program = buildProgram({
    version,
    out: (text) => write(process.stdout, text),
    err: (text) => write(process.stderr, text),
    columns: process.stdout.columns,
    fetch: async (inputs, flags) => {
      const { fetchCommand } = await import('./commands/fetch.ts');
      return fetchCommand({ inputs, flags, process, version });
    },
  });
  try {
    return await program.run(args);
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === undefined) throw error;
    write(process.stderr, `fanout: ${(error as Error).message}\n`); // one of our own errors
    return code;
  }
}

/** Writes a text whose reader may have seen enough, as in `fanout --help | head`. */
function write(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  stream.write(text);
}
