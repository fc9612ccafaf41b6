import { Writable } from 'node:stream';
import { runCommandLine } from '../../src/cli/main.ts';

/**
 * Runs a command line in the process of the test, which takes a tenth of the time of a new process. Only for commands that end
 * before they read standard input or write results, because those use the real descriptors.
 */
export async function runInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const [stdout, stderr] = [new TextSink(), new TextSink()];
  const world: NodeJS.Process = Object.create(process, {
    env: { value: env },
    stdout: { value: stdout },
    stderr: { value: stderr },
  });
  const code = await runCommandLine(args, world, '1.2.3');
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class TextSink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
