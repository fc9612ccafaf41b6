import type { Suggestions } from '../../config/parser.ts';
import type { CommandSpec, Operand } from '../command-spec.ts';
import { type Flag, flagsOf } from '../flag.ts';
import { HELP, VERSION } from './root-flags.ts';

/** A script that completes the commands in zsh: to be sourced, or to be a file `_fanout` in one of `$fpath`. */
export function zshCompletion(commands: readonly CommandSpec[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  return `#compdef fanout
# Completes fanout in zsh: eval "$(fanout completion zsh)"
_fanout_pairs() { # KIND=, and a file behind it
  if compset -P '*='; then _files; else compadd -S '' -- "$@"; fi
}
_fanout() {
  local curcontext="$curcontext" context state state_descr line
  typeset -A opt_args
  local -a commands=(
${described.join('\n')}
    'help:show the help of a command'
  )
  _arguments -C ${both(HELP)} ${both(VERSION)} '1:command:->command' '*::argument:->rest'
  case $state in
  command) _describe -t commands command commands ;;
  rest)
    case $words[1] in
    help) _describe -t commands command commands ;;
${commands.map(commandCase).join('\n')}
    esac
    ;;
  esac
}
if [[ $funcstack[1] == _fanout ]]; then _fanout "$@"; else compdef _fanout fanout; fi
`;
}

function both({ short, long, help }: typeof HELP | typeof VERSION): string {
  return `'(- *)'{${short},${long}}${quoted(`[${help}]`)}`;
}

function commandCase({ name, options, operands }: CommandSpec): string {
  const specs = [...flagsOf(options).map(flagSpec), both(HELP), ...operands.map(operandSpec)];
  return `    ${name})\n      _arguments -s -S ${specs.join(' \\\n        ')}\n      ;;`;
}

function flagSpec(flag: Flag): string {
  const { short, long, help, defaultText, isRepeatable } = flag;
  const note = defaultText === undefined ? '' : ` (default: ${defaultText})`;
  const rest = quoted(`[${(help + note).replace(/[[\]\\]/g, '\\$&')}]${valueSpec(flag)}`);
  const many = isRepeatable ? "'*'" : '';
  const longSign = flag.value === undefined ? '' : flag.value.startsWith('[') ? '=-' : '=';
  if (short === undefined) return `${many}${long}${longSign}${rest}`;
  const shortSign = flag.value === undefined ? '' : '+';
  return `${isRepeatable ? many : `'(${short} ${long})'`}{${short}${shortSign},${long}${longSign}}${rest}`;
}

function valueSpec({ value, suggestions }: Flag): string {
  if (value === undefined) return '';
  const name = value.slice(1, -1).replaceAll(':', '\\:');
  return `${value.startsWith('[') ? '::' : ':'}${name}:${action(suggestions)}`;
}

function operandSpec({ name, help, suggestions }: Operand, index: number): string {
  const position = name.includes('...') ? '*' : `${index + 1}`;
  return quoted(`${position}:${help.replaceAll(':', '\\:')}:${action(suggestions)}`);
}

/** What `_arguments` does for a value; a blank is nothing. */
function action(suggestions: Suggestions = []): string {
  if (suggestions === 'files') return '_files';
  if (suggestions === 'directories') return '_files -/';
  if (suggestions.length === 0) return ' ';
  if (suggestions.some((word) => word.endsWith('='))) return ` _fanout_pairs ${suggestions.join(' ')}`;
  return `(${suggestions.join(' ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
