import { classifyInput, type Input } from '../input/input.ts';
import { UsageError } from '../model/errors.ts';

/** The inputs that the arguments name; standard input if there are none and it is no terminal. */
export function inputsOf(args: readonly string[], isTerminal: boolean): readonly Input[] {
  if (args.length > 0) return args.map(classifyInput);
  if (!isTerminal) return [{ kind: 'stdin' }];
  throw new UsageError(
    'Cannot read URLs from a terminal: name a file, as in "fanout fetch urls.txt", or pipe a list in, ' +
      'as in "cat urls.txt | fanout fetch"; "fanout fetch -" reads what you type',
  );
}
