import type { Json, Option, Table } from '../config/option.ts';
import { escapeVariables } from '../config/option-sources.ts';
import { writeText } from './context.ts';
import { EXIT } from './exit-code.ts';

/**
 * Writes what holds as a configuration file: keys in camel case, values as people write them. With `mask`, secrets
 * are hidden; without it, the file gives the same options again.
 */
export function printConfig(table: Table, values: object, { mask }: { readonly mask: boolean }): string {
  const held = new Map<string, unknown>(Object.entries(values));
  const shown = Object.entries(table).flatMap(([key, entry]) => {
    const value = held.get(key);
    return value === undefined || entry.notInFile
      ? []
      : [[key, escapeJson(printValue(entry, value, mask))] as const];
  });
  return `${JSON.stringify(Object.fromEntries(shown), undefined, 2)}\n`;
}

function printValue(entry: Option<unknown, unknown>, value: unknown, mask: boolean): Json | undefined {
  return mask && entry.mask !== undefined ? entry.mask(value) : entry.parser.print(value);
}

// The file would otherwise take a `$NAME` in a literal value from the environment.
function escapeJson(json: Json | undefined): Json | undefined {
  if (typeof json === 'string') return escapeVariables(json);
  return Array.isArray(json) ? json.map((item) => escapeJson(item) ?? null) : json;
}

/** `--print-config`: writes what holds, secrets masked. Gives the exit code. */
export function showConfig(table: Table, values: object, { stdout }: Pick<NodeJS.Process, 'stdout'>): number {
  writeText(stdout, printConfig(table, values, { mask: true }));
  return EXIT.ok;
}
