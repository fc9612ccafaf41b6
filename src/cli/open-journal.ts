import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Journal } from '../journal/journal.ts';
import type { Result } from '../model/result.ts';
import { systemClock } from '../system-clock.ts';

export interface JournalParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  /** Told of damage, in whole sentences. */
  readonly warn: (message: string) => void;
}

/** Opens the file of `--journal`, whose code is loaded on use. */
export async function openJournal({ options, process, warn }: JournalParts): Promise<Journal | undefined> {
  const { journal: path, keepFailed, saveDir } = options;
  if (path === undefined) return undefined;
  const { Journal } = await import('../journal/journal.ts');
  return Journal.open(path, {
    keepFailed,
    confirm: saveDir === undefined ? undefined : (result) => hasBody(result, saveDir),
    warn,
    after: systemClock.after,
    processes: process,
  });
}

/** Whether the body of a finished URL is where it was saved: one that was removed is fetched again. */
function hasBody({ ok, method, body }: Result, directory: string): boolean {
  if (body?.path === undefined) return !ok || method === 'HEAD';
  const found = statSync(join(directory, body.path), { throwIfNoEntry: false });
  return found?.isFile() === true && found.size === body.bytes;
}
