import { deriveRunOptions } from './derive-run-options.ts';
import type { FanoutOptions } from './fanout-options.ts';
import { libraryLayer } from './layer.ts';
import { resolveOptions } from './resolve.ts';
import { type RunOptions, runOptions } from './run-options.ts';

/**
 * Resolves the options of the library. Throws `UsageError` on unknown keys and on values that the program would
 * refuse too. `version` is named in the default user agent.
 */
export function resolveRunOptions(options: FanoutOptions, version: string): RunOptions {
  return deriveRunOptions(resolveOptions(runOptions, [libraryLayer(runOptions, options)]), version);
}
