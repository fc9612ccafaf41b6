import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new directory that is gone after the test; gives the path of a name in it. */
export async function tempDir(): Promise<(name: string) => string> {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-input-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return (name) => join(directory, name);
}
