import { readFile } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { loadProgramOptions, programOptions } from '../../config/program-options.ts';
import { checkInputs } from '../../input/input.ts';
import { FetchRun } from '../fetch-run.ts';
import { inputsOf } from '../inputs.ts';
import { checkOutputs } from '../output-files.ts';
import { showConfig } from '../print-config.ts';
import { requestParts } from '../run-setup.ts';

export interface FetchArguments {
  readonly inputs: readonly string[];
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout fetch`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function fetchCommand(args: FetchArguments): Promise<number> {
  const { flags, process, version } = args;
  const readText = (path: string) => readFile(path, 'utf8');
  const options = await loadProgramOptions({ flags, environment: process.env, readText }, version);
  if (options.printConfig) return showConfig(programOptions, options, process);
  const inputs = inputsOf(args.inputs, isatty(0));
  await checkInputs(inputs);
  await checkOutputs(inputs, {
    '--output': options.output,
    '--failed': options.failed,
    '--journal': options.journal,
    '--baseline': options.baseline,
    '--state': options.state,
    ...Object.fromEntries(options.report?.map(({ kind, file }) => [`--report ${kind}=${file}`, file]) ?? []),
  });
  const request = await requestParts(options, process.env);
  if (options.broker !== undefined && !options.dryRun) {
    const { clusterFetch } = await import('./fetch-cluster.ts');
    return clusterFetch({ options, process, inputs, ...request });
  }
  const fetch = new FetchRun({ options, process, inputs, ...request });
  return options.dryRun ? fetch.dryRun() : fetch.run();
}
