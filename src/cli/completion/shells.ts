import type { CommandSpec } from '../command-spec.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

/** What makes the script of a shell, by the name of the shell. */
export const COMPLETIONS: ReadonlyMap<string, (commands: readonly CommandSpec[]) => string> = new Map([
  ['bash', bashCompletion],
  ['zsh', zshCompletion],
  ['fish', fishCompletion],
]);
