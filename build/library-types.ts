import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const RELATIVE = /(?<=from ['"]|import\(['"])(\.[^'"]+)\.ts(?=['"])/g;

/** The declaration files that those of the library lead to, itself among them, by the paths they import. */
async function reachable(path: string, found: Map<string, string>): Promise<Map<string, string>> {
  if (found.has(path)) return found;
  const text = await readFile(path, 'utf8');
  found.set(path, text);
  for (const [, specifier = ''] of text.matchAll(RELATIVE)) {
    await reachable(join(dirname(path), `${specifier}.d.ts`), found);
  }
  return found;
}

// tsc declares every file of src. What the library does not export is nobody's to import, and most of what would be
// installed; what stays says `.js` in its imports, as every version of TypeScript understands it.
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
