import {
  type ProgramOptions,
  programOptions,
  resolveProgramOptions,
} from '../../src/config/program-options.ts';
import { UsageError } from '../../src/model/errors.ts';

/** What is given to the program in each of its layers. */
export interface Given {
  readonly flags?: Record<string, unknown>;
  readonly environment?: Record<string, string>;
  readonly file?: Record<string, unknown>;
}

/** Resolves options as the program does, at version 1.2.3. */
export function resolve({ flags = {}, environment = {}, file }: Given): ProgramOptions {
  const named = file === undefined ? undefined : { path: 'fanout.config.json', values: file };
  return resolveProgramOptions(programOptions, { flags, environment, file: named }, '1.2.3');
}

/** The message with which options are refused; fails when they are taken. */
export function refusal(given: Given): string {
  try {
    resolve(given);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`taken: ${JSON.stringify(given)}`);
}
