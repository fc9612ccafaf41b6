import { errorCode } from '../model/error-code.ts';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { ConfigFile } from './layer.ts';

const DEFAULT_PATH = 'fanout.config.json';

/**
 * Reads the configuration file that was named, or `fanout.config.json` if there is one in the working directory.
 * `readText` gives the text of a file, or fails as `node:fs` does. Throws `UsageError`.
 */
export async function readConfigFile(
  named: string | undefined,
  readText: (path: string) => Promise<string>,
): Promise<ConfigFile | undefined> {
  const path = named ?? DEFAULT_PATH;
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    const code = errorCode(error);
    if (named === undefined && code === 'ENOENT') return undefined;
    throw new UsageError(`Cannot read the configuration file ${printable(path)}: ${reason(code)}`);
  }
  return { path, values: parseConfig(text.replace(/^\ufeff/, ''), path) };
}

function parseConfig(text: string, path: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `Cannot read the configuration file ${printable(path)}: it must be JSON${where(text, error)}`,
    );
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UsageError(`Cannot read the configuration file ${printable(path)}: it must be a JSON object`);
  }
  // JSON.parse gives no other objects than those with text for keys.
  return json as Record<string, unknown>;
}

// The message itself is not shown: it quotes the file, which may hold secrets. Some have no position.
function where(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const [, digits] = / at position (\d+)/.exec(message) ?? [];
  const position = message.includes('end of JSON input') ? text.length : Number(digits ?? Number.NaN);
  if (Number.isNaN(position)) return '';
  const before = text.slice(0, position).split('\n');
  return ` (see line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
}

function reason(code: string | undefined): string {
  if (code === 'ENOENT') return 'there is no such file';
  return `it cannot be read${code === undefined ? '' : ` (${code})`}`;
}
