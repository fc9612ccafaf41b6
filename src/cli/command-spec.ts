import type { Group, Table } from '../config/option.ts';

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
  | 'purge';

/** What the command line knows of a command: its name, its help, and its options. */
export interface CommandSpec {
  readonly name: CommandName;
  readonly summary: string;
  readonly description: string;
  /** As commander spells them, with their help. */
  readonly operands: readonly (readonly [string, string])[];
  readonly options: Table;
  /** Where `--help` itself stands. */
  readonly helpGroup: Group;
  readonly examples: string;
}
