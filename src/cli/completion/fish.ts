import type { Suggestions } from '../../config/parser.ts';
import type { CommandSpec } from '../command-spec.ts';
import { type Flag, flagsOf } from '../flag.ts';
import { HELP, VERSION } from './root-flags.ts';

/** A script that completes the commands in fish. */
export function fishCompletion(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  return `# Completes fanout in fish: fanout completion fish | source
function __fanout_runs
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end
function __fanout_runs_nothing
    test (count (commandline -opc)) -eq 1
end
complete -c fanout -f
${commands.map(({ name, summary }) => `complete -c fanout -n __fanout_runs_nothing -a ${name} -d ${quoted(summary)}`).join('\n')}
complete -c fanout -n __fanout_runs_nothing -a help -d 'show the help of a command'
complete -c fanout -n '__fanout_runs help' -a ${quoted(names)}
complete -c fanout -n __fanout_runs_nothing ${bothNames(VERSION)}
complete -c fanout ${bothNames(HELP)}
${commands.flatMap(commandLines).join('\n')}
`;
}

function bothNames({ short, long, help }: typeof HELP | typeof VERSION): string {
  return `-s ${short.slice(1)} -l ${long.slice(2)} -d ${quoted(help)}`;
}

function commandLines({ name, options, operands: [operand] }: CommandSpec): readonly string[] {
  const start = `complete -c fanout -n '__fanout_runs ${name}'`;
  return [
    ...flagsOf(options).map((flag) => `${start} ${flagArguments(flag)}`),
    ...(operand === undefined ? [] : [`${start} ${operandArguments(operand.suggestions)}`]),
  ];
}

function flagArguments({ short, long, value, help, suggestions }: Flag): string {
  const names = `${short === undefined ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  const values = value?.startsWith('<') ? ` ${valueArguments(suggestions)}` : '';
  return `${names}${values} -d ${quoted(help)}`;
}

/** `-r` wants a value, `-x` one that is no file. */
function valueArguments(suggestions: Suggestions = []): string {
  if (suggestions === 'files') return '-r -F';
  if (suggestions === 'directories') return "-x -a '(__fish_complete_directories)'";
  if (suggestions.length === 0) return '-x';
  const isPair = suggestions.some((word) => word.endsWith('='));
  return `${isPair ? '-r -F' : '-x'} -a ${quoted(suggestions.join(' '))}`;
}

function operandArguments(suggestions: Suggestions): string {
  if (suggestions === 'files') return '-F';
  if (suggestions === 'directories') return "-a '(__fish_complete_directories)'";
  return `-a ${quoted(suggestions.join(' '))}`;
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
