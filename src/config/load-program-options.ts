import { readConfigFile } from './file.ts';
import { type ConfigFile, environmentLayer, flagLayer } from './layer.ts';
import { outputOptions } from './output-options.ts';
import { type ProgramOptions, resolveProgramOptions } from './program-options.ts';
import { resolveOptions } from './resolve.ts';
import type { Environment } from './variables.ts';

/** What the options of the program are made of. `readText` gives the text of a file, or fails as `node:fs` does. */
export interface ProgramSources {
  /** Flags that were really given, by key. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readText(path: string): Promise<string>;
}

/** Finds and reads the configuration file, and resolves the options of the program; throws `UsageError`. */
export async function loadProgramOptions(sources: ProgramSources, version: string): Promise<ProgramOptions> {
  const { flags, environment } = sources;
  return resolveProgramOptions({ flags, environment, file: await loadConfigFile(sources) }, version);
}

/** Finds and reads the configuration file, if there is one; throws `UsageError`. */
export function loadConfigFile(sources: ProgramSources): Promise<ConfigFile | undefined> {
  const { flags, environment, readText } = sources;
  return readConfigFile(namedFile(flags, environment), readText);
}

// Which file to read must be known before the options of the file are.
function namedFile(flags: ProgramSources['flags'], environment: Environment): string | undefined {
  const table = { config: outputOptions.config };
  const given = flags.config === undefined ? {} : { config: flags.config };
  return resolveOptions(table, [flagLayer(table, given, environment), environmentLayer(table, environment)])
    .values.config;
}
