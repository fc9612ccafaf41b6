import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const RELATIVE = /(?<=from ['"]|import\(['"])(\.[^'"]+)\.ts(?=['"])/g;

/** Returns the declaration files that this one needs, this one included, by path. */
async function reachable(path: string, found: Map<string, string>): Promise<Map<string, string>> {
  if (found.has(path)) return found;
  const text = await readFile(path, 'utf8');
  found.set(path, text);
  for (const [, specifier = ''] of text.matchAll(RELATIVE)) {
    await reachable(join(dirname(path), `${specifier}.d.ts`), found);
  }
  return found;
}

// tsc declares every file of src. Only the declarations that the library needs are kept, because the others would be most of
// the package. Their imports end in `.js`, which every version of TypeScript understands.
const kept = await reachable(join(DIST, 'index.d.ts'), new Map());
for (const [path, text] of kept) await writeFile(path, text.replace(RELATIVE, '$1.js'));
for (const name of await readdir(DIST, { recursive: true })) {
  const path = join(DIST, name);
  if (path.endsWith('.d.ts') && !kept.has(path)) await rm(path);
}
for (const entry of await readdir(DIST, { withFileTypes: true })) {
  if (entry.isDirectory()) await removeEmpty(join(DIST, entry.name));
}

async function removeEmpty(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeEmpty(join(directory, entry.name));
  }
  if ((await readdir(directory)).length === 0) await rm(directory, { recursive: true });
}
