import { environmentLayer, flagLayer, variableOf } from '../config/layer.ts';
import type { Table } from '../config/option.ts';
import { type ProgramOptions, programOptions, resolveProgramOptions } from '../config/program-options.ts';
import { resolveOptions, type Settled } from '../config/resolve.ts';
import type { Environment } from '../config/variables.ts';

export interface GivenFlags {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
}

/** The part of a command's options that this table has; other flags and variables are passed over. */
export function resolvePart<T extends Table>(table: T, given: GivenFlags): Settled<T> {
  const { flags, environment } = only(table, given);
  return resolveOptions(table, [flagLayer(table, flags, environment), environmentLayer(table, environment)]);
}

/** The options of a whole run, of which the command has those in the table; the others have their defaults. */
export function resolveAsProgram(table: Table, given: GivenFlags, version: string): ProgramOptions {
  const shared = Object.fromEntries(
    Object.entries(table).filter(([key]) => Object.hasOwn(programOptions, key)),
  );
  return resolveProgramOptions(only(shared, given), version);
}

function only(table: Table, { flags, environment }: GivenFlags): GivenFlags {
  const variables = new Set(Object.keys(table).map(variableOf));
  return {
    flags: Object.fromEntries(Object.entries(flags).filter(([key]) => Object.hasOwn(table, key))),
    environment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => !name.startsWith('FANOUT_') || variables.has(name)),
    ),
  };
}
