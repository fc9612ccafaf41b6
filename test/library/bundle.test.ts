import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const DIST = new URL('../../dist/', import.meta.url);

/** The files of the bundle that are loaded with these, these included, and the packages. */
async function loadedWith(
  ...names: string[]
): Promise<{ files: readonly string[]; packages: readonly string[] }> {
  const files = new Set(names.map((name) => new URL(name, DIST).href));
  const packages = new Set<string>();
  for (const file of files) {
    const text = await readFile(new URL(file), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\b(?:.* from)? ?"([^"]+)"/gm)) {
      if (specifier.startsWith('.')) files.add(new URL(specifier, file).href);
      else if (!specifier.startsWith('node:')) packages.add(specifier.replace(/\/.*/, ''));
    }
  }
  return { files: [...files], packages: [...packages].sort() };
}

/** Returns the chunk that the command line takes this function from. */
async function chunkOf(name: 'runProgram' | 'fetchCommand'): Promise<string> {
  const { files } = await loadedWith('cli/main.js');
  const texts = await Promise.all(files.map((file) => readFile(new URL(file), 'utf8')));
  const [, chunk] =
    new RegExp(`\\{ ${name} \\} = await [^"]*import\\("\\./([^"]+)"\\)`).exec(texts.join('\n')) ?? [];
  if (chunk === undefined) throw new Error(`There is no chunk for ${name}`);
  return `chunks/${chunk}`;
}

test('fanout --version loads two files, and no package', async () => {
  const { files, packages } = await loadedWith('cli/main.js');
  expect(files).toHaveLength(2);
  expect(packages).toEqual([]);
});

test('fanout fetch loads few files, and no package', async () => {
  const { files, packages } = await loadedWith(
    'cli/main.js',
    await chunkOf('runProgram'),
    await chunkOf('fetchCommand'),
  );
  expect(files.length).toBeLessThanOrEqual(7);
  expect(packages).toEqual([]);
});

test('the library loads no code of the command line', async () => {
  const { files, packages } = await loadedWith('index.js');
  expect(files.length).toBeLessThanOrEqual(4);
  expect(packages).toEqual([]);
});

test('the licences of the packages in the bundle come with it', async () => {
  const text = await readFile(new URL('LICENCES', DIST), 'utf8');
  const packages = [...text.matchAll(/^(\S+) \d+\.\d+\.\d+$/gm)].map(([, name]) => name);
  expect(packages).toEqual(['commander', 'p-limit', 'undici', 'yocto-queue']);
});
