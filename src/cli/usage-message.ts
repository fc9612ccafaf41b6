import type { Command, CommanderError } from 'commander';
import { didYouMean } from '../config/did-you-mean.ts';
import { excerpt } from '../input/shown-url.ts';
import { printable } from '../model/printable.ts';

/** Says in one line what was wrong with the arguments, and what to type instead where that is clear. */
export function usageMessage(error: CommanderError, root: Command, fetch: Command): string {
  // After `fanout help nonsense`, and after no arguments at all, commander has no message of its own.
  const [word, operand] = root.args;
  if (error.code === 'commander.unknownCommand') return unknownCommand(word ?? '', root);
  if (error.code === 'commander.help') {
    return operand === undefined
      ? 'Cannot tell what to do: name a command, as in "fanout fetch urls.txt"'
      : unknownCommand(operand, root);
  }
  if (error.code === 'commander.unknownOption') return unknownOption(error.message, word, fetch);
  const text = error.message.replace(/^error: /, '');
  return printable(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
}

function unknownCommand(word: string, root: Command): string {
  const meant = didYouMean(word, ['help', ...root.commands.map((command) => command.name())]);
  const shown = excerpt(word); // it may be a URL with a password
  const advice =
    meant === undefined ? `to fetch URLs, type "fanout fetch ${shown}"` : `did you mean ${meant}?`;
  return `Cannot run "${shown}": it is no command of fanout; ${advice}`;
}

function unknownOption(message: string, command: string | undefined, fetch: Command): string {
  // What stands behind a `=`, or right behind a single letter, may be a secret.
  const flag = /'(--[^'=\n]*|-[^'\n]?)/.exec(message)?.[1] ?? '';
  const known = fetch.options.find(({ long, short }) => flag === long || flag === short);
  if (known !== undefined && command !== fetch.name()) {
    return `Cannot use ${flag} here: it belongs after the command, as in "fanout fetch ${known.flags.replace(/^-\w, /, '')}"`;
  }
  const meant = flag.startsWith('--') ? didYouMean(flag, longFlags(fetch)) : undefined;
  const advice = meant === undefined ? '' : `, did you mean ${meant}?`;
  if (known !== undefined) return `Cannot use ${flag} with a value: it takes none`;
  return `Cannot use ${printable(flag, 200)}: there is no such option${advice}`;
}

function longFlags(command: Command): readonly string[] {
  return command.options.flatMap(({ long }) => (typeof long === 'string' ? [long] : []));
}
