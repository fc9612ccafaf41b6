import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Command = readonly [string, ...string[]];

/** A program that fetches a list, and is measured beside the others. */
export interface Contender {
  readonly name: string;
  /** The Debian package that has it; fanout itself has none. */
  readonly debianPackage?: string;
  /** Writes what the program reads to `dir`, and gives the command that fetches the URLs once. */
  prepare(urls: readonly string[], dir: string): Promise<Command>;
}

/** The programs that fetch a list as whole processes; `program` is the `fanout.js` to run. */
export function contenders(program: string): readonly Contender[] {
  return [
    {
      name: 'fanout',
      prepare: async (urls, dir) => {
        const list = join(dir, 'urls.txt');
        await writeFile(list, `${urls.join('\n')}\n`);
        const output = ['-o', join(dir, 'results.txt'), '--no-progress'];
        return [process.execPath, program, 'fetch', list, '-c', '64', ...output];
      },
    },
    {
      name: 'curl',
      debianPackage: 'curl',
      prepare: async (urls, dir) => {
        const config = join(dir, 'curl.txt');
        await writeFile(config, urls.map((url) => `url = "${url}"\noutput = /dev/null\n`).join(''));
        return ['curl', '-s', '-Z', '--parallel-max', '64', '-K', config];
      },
    },
    {
      name: 'wget2',
      debianPackage: 'wget2',
      prepare: async (urls, dir) => {
        const list = join(dir, 'wget2.txt');
        await writeFile(list, `${urls.join('\n')}\n`);
        // A configuration of the user, and its files for HSTS and the like, would be no part of the work.
        return ['wget2', '--no-config', '-q', '--max-threads=8', '-O', '/dev/null', '-i', list];
      },
    },
  ];
}
