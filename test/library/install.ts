import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The part of the report of `npm pack` that tests need. */
export interface Packed {
  readonly path: string;
  readonly version: string;
  readonly files: readonly string[];
  /** Bytes of the tarball, and of its files. */
  readonly size: number;
  readonly unpackedSize: number;
}

export interface Installed {
  /** The folder that has the package in its `node_modules`. */
  readonly cwd: string;
  /** What npm printed, warnings included. */
  readonly output: string;
}

/** Packs the package into a directory, as it would be published. */
export async function pack(directory: string): Promise<Packed> {
  // Uses the existing build: building here would remove it while other tests use it.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
  const [{ filename, version, files, size, unpackedSize }] = JSON.parse(
    (await run('npm', args, { cwd: ROOT })).stdout,
  );
  return {
    path: join(directory, filename),
    version,
    files: files.map(({ path }: { readonly path: string }) => path),
    size,
    unpackedSize,
  };
}

/**
 * Installs the packed package into a new folder beside it, with scripts allowed. npm fetches the dependencies
 * from the registry, unless its cache has them.
 */
export async function install(
  { path }: Packed,
  name: string,
  ...flags: readonly string[]
): Promise<Installed> {
  const cwd = join(dirname(path), name);
  await mkdir(cwd);
  const manifest = { name, private: true, type: 'module' };
  await writeFile(join(cwd, 'package.json'), JSON.stringify(manifest));
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', ...flags, path];
  const { stdout, stderr } = await run('npm', args, { cwd });
  return { cwd, output: `${stdout}${stderr}` };
}
