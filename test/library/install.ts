import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The report of `npm pack`. */
export interface Packed {
  readonly path: string;
  readonly files: readonly string[];
  readonly unpackedSize: number;
}

/** Packs the package into a directory, as it would be published. */
export async function pack(directory: string): Promise<Packed> {
  // Uses the existing build: building here would remove it while other tests use it.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
  const [{ filename, files, unpackedSize }] = JSON.parse((await run('npm', args, { cwd: ROOT })).stdout);
  return {
    path: join(directory, filename),
    files: files.map(({ path }: { readonly path: string }) => path),
    unpackedSize,
  };
}

/**
 * Installs the packed package into a new folder beside it, with scripts allowed. Resolves to the folder. npm fetches the
 * dependencies from the registry, unless its cache has them.
 */
export async function install({ path }: Packed, name: string, ...flags: readonly string[]): Promise<string> {
  const cwd = join(dirname(path), name);
  await mkdir(cwd);
  const manifest = { name, private: true, type: 'module' };
  await writeFile(join(cwd, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...flags, path], { cwd });
  return cwd;
}
