import { UsageError } from '../../model/errors.ts';
import { printable } from '../../model/printable.ts';
import { COMMANDS } from '../command-specs.ts';
import { COMPLETIONS } from '../completion/shells.ts';
import { EXIT } from '../exit-code.ts';
import { writeText } from '../write-text.ts';

export interface CompletionArguments {
  /** The name of a shell. */
  readonly shell: string;
  readonly process: NodeJS.Process;
}

/** `fanout completion`: returns the exit code. Throws `UsageError` for a shell that it does not know. */
export function completionCommand({ shell, process }: CompletionArguments): number {
  const completion = COMPLETIONS.get(shell);
  if (completion === undefined) {
    const wish = `it must be one of ${[...COMPLETIONS.keys()].join(', ')}`;
    throw new UsageError(`Cannot make completions for "${printable(shell, 200)}": ${wish}`);
  }
  writeText(process.stdout, completion(COMMANDS));
  return EXIT.ok;
}
