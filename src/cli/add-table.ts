import { type Command, Option } from 'commander';
import { type Option as Entry, GROUPS, type Table } from '../config/option.ts';

/** Adds the options of a table to a command, group by group. Defaults are shown, but not set: the table has them. */
export function addTable(command: Command, table: Table): void {
  for (const group of GROUPS) {
    for (const entry of Object.values(table).filter((one) => one.group === group)) {
      const positive = new Option(entry.flags, `${entry.help}${defaultNote(entry)}`).helpGroup(`${group}:`);
      command.addOption(entry.repeatable ? positive.argParser(append) : positive);
      if (entry.noHelp !== undefined) {
        const flags = entry.flags.replace(/^--/, '--no-');
        command.addOption(new Option(flags, entry.noHelp).helpGroup(`${group}:`));
      }
    }
  }
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function defaultNote(entry: Entry<unknown, unknown>): string {
  if (entry.defaultText !== undefined) return ` (default: ${entry.defaultText})`;
  const takesValue = entry.flags.includes('<');
  const shown = takesValue && entry.default !== undefined ? entry.parser.print(entry.default) : undefined;
  return typeof shown === 'string' || typeof shown === 'number' ? ` (default: ${shown})` : '';
}
