import { readFileSync } from 'node:fs';

/** How many files and sockets this process may have open, as Linux says it; elsewhere nothing is known. */
export function readFileLimit(path = '/proc/self/limits'): number | undefined {
  try {
    const soft = /^Max open files +(\d+) /m.exec(readFileSync(path, 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
