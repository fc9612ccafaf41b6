import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new, empty directory for the running test, as a real path; it is removed when the test has finished. */
export async function tempDir(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'fanout-test-')));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
