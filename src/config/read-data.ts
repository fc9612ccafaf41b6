import { UsageError } from '../model/errors.ts';
import { systemReason } from '../model/output-error.ts';
import { printable } from '../model/printable.ts';

/**
 * The request body that `--data` stands for: the text itself, or the bytes of the file after `@`, unchanged.
 * `readFile` gives the bytes of a file. Throws `UsageError` when it cannot be read.
 */
export async function readData(
  data: string,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<string | Uint8Array> {
  if (!data.startsWith('@')) return data;
  const path = data.slice(1);
  if (path === '' || path === '-') {
    throw new UsageError(`Cannot use "${data}" for --data: it must name a file after the @`);
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(`Cannot read ${printable(path)} for --data: ${printable(systemReason(error))}`);
  }
}
