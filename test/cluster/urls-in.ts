import { readFile } from 'node:fs/promises';

/** The URLs of the records in JSONL, sorted. */
export function urlsIn(jsonl: string): string[] {
  return jsonl
    .trim()
    .split('\n')
    .map((line) => String(JSON.parse(line).url))
    .sort();
}

/** The URLs of the records in a file, sorted. */
export async function urlsInFile(path: string): Promise<string[]> {
  return urlsIn(await readFile(path, 'utf8'));
}

/** The workers of the records in JSONL. */
export function workersIn(jsonl: string): string[] {
  return jsonl
    .trim()
    .split('\n')
    .map((line) => String(JSON.parse(line).worker));
}
