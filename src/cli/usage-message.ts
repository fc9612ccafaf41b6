import type { Command, CommanderError } from 'commander';
import { didYouMean } from '../config/did-you-mean.ts';
import { IN_PLACE_OF_JOURNAL } from '../config/journal-with-broker.ts';
import { excerpt } from '../input/shown-url.ts';
import { printable } from '../model/printable.ts';

/** Says what was wrong with the arguments, what to type instead where that is clear, and on a second line where help is. */
export function usageMessage(error: CommanderError, root: Command): string {
  // A flag that stands before its command most likely belongs to the first one.
  const command = root.commands.find((one) => one.name() === root.args[0]) ?? root.commands[0] ?? root;
  return `${fault(error, root, command)}\nSee fanout --help and fanout ${command.name()} --help.`;
}

function fault(error: CommanderError, root: Command, command: Command): string {
  // After `fanout help nonsense`, and after no arguments at all, commander has no message of its own.
  const [word, operand] = root.args;
  if (error.code === 'commander.unknownCommand') return unknownCommand(word ?? '', root);
  if (error.code === 'commander.help') {
    return operand === undefined
      ? 'Cannot tell what to do: name a command, as in "fanout fetch urls.txt"'
      : unknownCommand(operand, root);
  }
  if (error.code === 'commander.unknownOption') return unknownOption(error.message, word, command);
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

function unknownOption(message: string, word: string | undefined, command: Command): string {
  // What stands behind a `=`, or right behind a single letter, may be a secret.
  const flag = /'(--[^'=\n]*|-[^'\n]?)/.exec(message)?.[1] ?? '';
  const known = command.options.find(({ long, short }) => flag === long || flag === short);
  if (known !== undefined && word !== command.name()) {
    return `Cannot use ${flag} here: it belongs after the command, as in "fanout ${command.name()} ${known.flags.replace(/^-\w, /, '')}"`;
  }
  const instead = command.name() === 'collect' ? IN_PLACE_OF_JOURNAL[flag] : undefined;
  if (instead !== undefined) return `Cannot use ${flag}: ${instead}`;
  const meant = flag.startsWith('--') ? didYouMean(flag, longFlags(command)) : undefined;
  const advice = meant === undefined ? '' : `, did you mean ${meant}?`;
  if (known !== undefined) return `Cannot use ${flag} with a value: it takes none`;
  return `Cannot use ${printable(flag, 200)}: there is no such option${advice}`;
}

function longFlags(command: Command): readonly string[] {
  return command.options.flatMap(({ long }) => (typeof long === 'string' ? [long] : []));
}
