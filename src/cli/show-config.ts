import type { Table } from '../config/option.ts';
import { printConfig } from '../config/print.ts';
import { EXIT } from './exit-code.ts';
import { writeText } from './write-text.ts';

/** `--print-config`: writes what holds, secrets masked. Gives the exit code. */
export function showConfig(table: Table, values: object, { stdout }: Pick<NodeJS.Process, 'stdout'>): number {
  writeText(stdout, printConfig(table, values, { mask: true }));
  return EXIT.ok;
}
