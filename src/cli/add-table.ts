import { type Command, Option } from 'commander';
import type { Table } from '../config/option.ts';
import { flagsOf } from './flag.ts';

/** Adds the options of a table to a command, group by group. Defaults are shown, but not set: the table has them. */
export function addTable(command: Command, table: Table): void {
  for (const { spelling, help, group, defaultText, isRepeatable } of flagsOf(table)) {
    const note = defaultText === undefined ? '' : ` (default: ${defaultText})`;
    const option = new Option(spelling, `${help}${note}`).helpGroup(`${group}:`);
    command.addOption(isRepeatable ? option.argParser(append) : option);
  }
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
