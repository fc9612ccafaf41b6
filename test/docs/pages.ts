import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MANUAL = join(ROOT, 'docs/manual.md');
export const MAN_PAGE = join(ROOT, 'man/fanout.1');
export const CONFIG_SCHEMA = join(ROOT, 'fanout.config.schema.json');
export const README = join(ROOT, 'README.md');

/** A page of the documentation. */
export interface Page {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Reads the pages at the root and in docs. */
export async function pages(): Promise<readonly Page[]> {
  const inDocs = (await readdir(join(ROOT, 'docs'))).map((name) => `docs/${name}`);
  const paths = [...(await readdir(ROOT)), ...inDocs].filter((path) => path.endsWith('.md')).sort();
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })));
}
