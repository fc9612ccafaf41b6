import type { ProgramOptions } from '../config/program-options.ts';
import type { Journal } from '../journal/journal.ts';
import { systemClock } from '../system-clock.ts';

export interface JournalParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  /** Told of damage, in whole sentences. */
  readonly warn: (message: string) => void;
}

/** Opens the file of `--journal`, whose code is loaded on use. */
export async function openJournal({ options, process, warn }: JournalParts): Promise<Journal | undefined> {
  const { journal: path, keepFailed } = options;
  if (path === undefined) return undefined;
  const { Journal } = await import('../journal/journal.ts');
  return Journal.open(path, { keepFailed, warn, after: systemClock.after, processes: process });
}
