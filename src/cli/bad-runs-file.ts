import { readFile } from 'node:fs/promises';
import type { BadRun } from '../collect/bad-runs.ts';
import { errorCode } from '../model/error-code.ts';
import { InputError } from '../model/errors.ts';
import { systemReason } from '../model/output-error.ts';
import { printable } from '../model/printable.ts';

/** The bad runs that an earlier run left in a file, one JSON object a line; none when there is no file yet. */
export async function readBadRuns(path: string): Promise<readonly BadRun[]> {
  const text = await textOf(path);
  return text
    .split('\n')
    .flatMap((line, index) =>
      line.trim() === '' ? [] : [parseBadRun(line, `${printable(path)}:${index + 1}`)],
    );
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw new InputError(`Cannot read ${printable(path)} for --state: ${printable(systemReason(error))}`);
  }
}

function parseBadRun(line: string, place: string): BadRun {
  const entry: unknown = parsed(line);
  if (isBadRun(entry)) return entry;
  throw new InputError(
    `Cannot read ${place} as a line of --state: it must be what an earlier run wrote; without the file all counts begin anew`,
  );
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isBadRun(value: unknown): value is BadRun {
  if (typeof value !== 'object' || value === null) return false;
  if (!('method' in value && 'url' in value && 'badRuns' in value)) return false;
  const hasTexts = typeof value.method === 'string' && typeof value.url === 'string';
  const hasId = !('id' in value) || typeof value.id === 'string';
  return hasTexts && hasId && Number.isSafeInteger(value.badRuns) && Number(value.badRuns) > 0;
}
