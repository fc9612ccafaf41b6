import { UsageError } from '../model/errors.ts';
import { systemReason } from '../model/output-error.ts';
import { printable } from '../model/printable.ts';
import type { RunOptions } from './run-options.ts';
import { type PemText, type TlsMaterial, tlsMaterial } from './tls-material.ts';

/**
 * Reads the files that `--cacert`, `--cert` and `--key` name. `readText` gives the text of a file.
 *
 * @throws UsageError when one of them cannot be read, or does not hold what it should
 */
export async function readTlsFiles(
  { cacert, cert, key }: Pick<RunOptions, 'cacert' | 'cert' | 'key'>,
  readText: (path: string) => Promise<string>,
): Promise<TlsMaterial> {
  return tlsMaterial({
    cacert: await read(cacert, '--cacert', readText),
    cert: await read(cert, '--cert', readText),
    key: await read(key, '--key', readText),
  });
}

async function read(
  path: string | undefined,
  flag: string,
  readText: (path: string) => Promise<string>,
): Promise<PemText | undefined> {
  if (path === undefined) return undefined;
  const place = `${printable(path)} for ${flag}`;
  try {
    return { text: await readText(path), place };
  } catch (error) {
    throw new UsageError(`Cannot read ${place}: ${printable(systemReason(error))}`);
  }
}
