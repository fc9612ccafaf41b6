import type { Group, Table } from '../config/option.ts';
import type { Suggestions } from '../config/parser.ts';

/** The commands of the program. */
export type CommandName =
  | 'fetch'
  | 'report'
  | 'diff'
  | 'feed'
  | 'work'
  | 'collect'
  | 'status'
  | 'dead'
  | 'purge'
  | 'completion';

/** What the command line knows of a command: its name, its help, and its options. */
export interface CommandSpec {
  readonly name: CommandName;
  readonly summary: string;
  readonly description: string;
  readonly operands: readonly Operand[];
  readonly options: Table;
  /** Where `--help` itself stands. */
  readonly helpGroup: Group;
  readonly examples: string;
}

/** What stands after the flags. */
export interface Operand {
  /** As commander spells it: `<old>`, or `[inputs...]` where there may be none or many. */
  readonly name: string;
  readonly help: string;
  readonly suggestions: Suggestions;
}
