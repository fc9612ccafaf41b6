import { type Option as Entry, GROUPS, type Group, type Table } from '../config/option.ts';
import type { Suggestions } from '../config/parser.ts';

/** A flag as it is typed. An option with a `--no-` twin is two of them. */
export interface Flag {
  /** As commander spells it: `-c, --concurrency <n>`. */
  readonly spelling: string;
  /** `-c`, where there is one. */
  readonly short: string | undefined;
  /** `--concurrency`. */
  readonly long: string;
  /** `<n>`, or `[max]` where it may be left out; `undefined` where there is none. */
  readonly value: string | undefined;
  readonly group: Group;
  readonly help: string;
  /** What holds without it, where that is worth a word. */
  readonly defaultText: string | undefined;
  readonly isRepeatable: boolean;
  /** What its value may be. */
  readonly suggestions: Suggestions | undefined;
}

/** The flags of a table, in the order of the groups. */
export function flagsOf(table: Table): readonly Flag[] {
  const entries = Object.values(table);
  return GROUPS.flatMap((group) => entries.filter((entry) => entry.group === group).flatMap(flagsFor));
}

function flagsFor(entry: Entry<unknown, unknown>): readonly Flag[] {
  const flag = {
    ...partsOf(entry.flags),
    group: entry.group,
    help: entry.help,
    defaultText: defaultTextOf(entry),
    isRepeatable: entry.repeatable === true,
    suggestions: entry.parser.suggestions,
  };
  if (entry.noHelp === undefined) return [flag];
  return [
    flag,
    { ...flag, ...partsOf(entry.flags.replace(/^--/, '--no-')), help: entry.noHelp, defaultText: undefined },
  ];
}

function partsOf(spelling: string): Pick<Flag, 'spelling' | 'short' | 'long' | 'value'> {
  const [, short, long = spelling, value] = /^(?:(-\w), )?(--[\w-]+)(?: (.+))?$/.exec(spelling) ?? [];
  return { spelling, short, long, value };
}

function defaultTextOf(entry: Entry<unknown, unknown>): string | undefined {
  if (entry.defaultText !== undefined) return entry.defaultText;
  const takesValue = entry.flags.includes('<');
  const shown = takesValue && entry.default !== undefined ? entry.parser.print(entry.default) : undefined;
  return typeof shown === 'string' || typeof shown === 'number' ? `${shown}` : undefined;
}
