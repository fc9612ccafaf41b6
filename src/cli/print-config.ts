import type { Json, Option, Table } from '../config/option.ts';
import { escapeVariables } from '../config/option-sources.ts';
import { EXIT } from './exit-code.ts';
import { writeText } from './terminal.ts';

/** `--print-config`: writes the options in effect as a configuration file, with secrets masked. Returns the exit code. */
export function printConfig(
  table: Table,
  values: object,
  { stdout }: Pick<NodeJS.Process, 'stdout'>,
): number {
  writeText(stdout, toConfigFile(table, values, { mask: true }));
  return EXIT.ok;
}

/**
 * Returns the text of a configuration file with these options: keys in camel case, values as people write them.
 * With `mask`, secrets are hidden. Without it, reading the file gives the same options.
 */
export function toConfigFile(table: Table, values: object, { mask }: { readonly mask: boolean }): string {
  const byKey = new Map<string, unknown>(Object.entries(values));
  const entries = Object.entries(table).flatMap(([key, option]) => {
    const value = byKey.get(key);
    return value === undefined || option.notInFile
      ? []
      : [[key, escapeStrings(printValue(option, value, mask))] as const];
  });
  return `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
}

function printValue(option: Option<unknown, unknown>, value: unknown, mask: boolean): Json | undefined {
  return mask && option.mask !== undefined ? option.mask(value) : option.parser.print(value);
}

// Unescaped, a `$NAME` in a value would be replaced by a variable when the file is read.
function escapeStrings(json: Json | undefined): Json | undefined {
  if (typeof json === 'string') return escapeVariables(json);
  if (Array.isArray(json)) return json.map((item) => escapeStrings(item) ?? null);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, escapeStrings(item) ?? null]));
}
