import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';

const READY = 'READY>';
const PATIENCE_MS = 15_000;

/** A shell on a terminal, in which `fanout` is a function that prints its arguments. */
export class TypedShell {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
  }

  /** Starts a shell by a command line in a directory, and waits for its prompt. */
  static async start(command: string, cwd: string): Promise<TypedShell> {
    const env = { PATH: process.env.PATH, HOME: cwd, ZDOTDIR: cwd, TERM: 'xterm', LC_ALL: 'C.UTF-8' };
    // `script` provides the terminal.
    const child = spawn('script', ['-qfec', command, '/dev/null'], { cwd, env, stdio: 'pipe' });
    await once(child, 'spawn');
    const shell = new TypedShell(child);
    await shell.#shown(READY);
    return shell;
  }

  /** Types `fanout `, the keys and return. Resolves to the arguments that fanout received. */
  async typed(keys: string): Promise<readonly string[]> {
    this.#output = '';
    this.#child.stdin.write(`fanout ${keys}\r`);
    await this.#shown('>>>\r\n');
    await this.#shown(READY);
    const [, args = ''] = /<<<(.*)>>>\r\n/s.exec(this.#output) ?? [];
    return args.split('\t').slice(0, -1);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.stdin.end('\u0003\rexit\r');
    await once(this.#child, 'exit');
  }

  async #shown(text: string): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      while (!this.#output.includes(text)) await once(this.#child.stdout, 'data', { signal });
    } catch (error) {
      throw new Error(`the shell did not show ${JSON.stringify(text)} but: ${this.#output}`, {
        cause: error,
      });
    }
  }
}

/** A start-up file for bash and zsh: a prompt, fanout as a function, and the completions. */
export function startUp(script: string): string {
  return `PS1='${READY}'\nfanout() { printf '<%s' '<<'; printf '%s\\t' "$@"; printf '>>%s\\n' '>'; }\n${script}`;
}
