import { readFile } from 'node:fs/promises';
import { brokerOptions } from '../config/broker-options.ts';
import { type ConfigFile, environmentLayer, fileLayer, flagLayer, variableOf } from '../config/layer.ts';
import { loadConfigFile } from '../config/load-program-options.ts';
import type { Table } from '../config/option.ts';
import { type ProgramOptions, programOptions, resolveProgramOptions } from '../config/program-options.ts';
import { resolveOptions, type Settled } from '../config/resolve.ts';
import type { Environment } from '../config/variables.ts';

export interface GivenFlags {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/** All that was given to a command of several machines. Throws a `UsageError` when its file cannot be read. */
export async function givenTo(flags: GivenFlags['flags'], environment: Environment): Promise<GivenFlags> {
  const readText = (path: string) => readFile(path, 'utf8');
  return { flags, environment, file: await loadConfigFile({ flags, environment, readText }) };
}

/** The part of a command's options that this table has; what belongs to other commands is passed over. */
export function resolvePart<T extends Table>(table: T, given: GivenFlags): Settled<T> {
  checkNames(table, given);
  const { flags, environment, file } = only(table, given);
  return resolveOptions(table, [
    flagLayer(table, flags, environment),
    environmentLayer(table, environment),
    ...(file === undefined ? [] : [fileLayer(table, file, environment)]),
  ]);
}

/**
 * As `resolvePart`, but the file says where the run is and no more. Its other keys are those of the commands that the run
 * is made of: `output` is where results go, and no list of the dead.
 */
export function resolveVisit<T extends Table>(table: T, given: GivenFlags): Settled<T> {
  checkNames(table, given);
  return resolvePart(table, { ...given, file: only(brokerOptions, given).file });
}

/** The options of a whole run, of which the command has those in the table; the others have their defaults. */
export function resolveAsProgram(table: Table, given: GivenFlags, version: string): ProgramOptions {
  checkNames(table, given);
  const shared = Object.fromEntries(
    Object.entries(table).filter(([key]) => Object.hasOwn(programOptions, key)),
  );
  return resolveProgramOptions(only(shared, given), version);
}

/** Throws a `UsageError` for a key or variable that no command has: one file serves all, and all are in `fetch`. */
function checkNames(table: Table, { environment, file }: GivenFlags): void {
  const known = { ...programOptions, ...table };
  environmentLayer(known, environment);
  if (file !== undefined) fileLayer(known, file, environment);
}

// What is left out is not even parsed: it may name a secret that this machine does not have.
function only(table: Table, { flags, environment, file }: GivenFlags): GivenFlags {
  const variables = new Set(Object.keys(table).map(variableOf));
  const isOurs = ([key]: readonly [string, unknown]) => Object.hasOwn(table, key);
  return {
    flags: Object.fromEntries(Object.entries(flags).filter(isOurs)),
    environment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => !name.startsWith('FANOUT_') || variables.has(name)),
    ),
    file: file && { ...file, values: Object.fromEntries(Object.entries(file.values).filter(isOurs)) },
  };
}
