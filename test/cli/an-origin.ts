import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Origin, type OriginOptions, startOrigin } from '../origin/origin.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** An origin for the running test; it is closed when the test has finished. */
export async function anOrigin(options: OriginOptions = {}): Promise<Origin> {
  const origin = await startOrigin(options);
  onTestFinished(() => origin.close());
  return origin;
}

/** A file for the running test, with these lines or these bytes; resolves to its path. */
export async function aFile(content: readonly string[] | Uint8Array, name = 'urls.txt'): Promise<string> {
  const path = join(await tempDir(), name);
  await writeFile(
    path,
    content instanceof Uint8Array ? content : content.map((line) => `${line}\n`).join(''),
  );
  return path;
}

/** `count` URLs of this path, each with a number of its own in the query. */
export function urls(origin: Pick<Origin, 'url'>, path: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${origin.url}${path}?n=${index}`);
}
