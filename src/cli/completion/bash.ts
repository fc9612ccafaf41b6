import type { Suggestions } from '../../config/parser.ts';
import type { CommandSpec } from '../command-spec.ts';
import { type Flag, flagsOf } from '../flag.ts';
import { HELP, VERSION } from './root-flags.ts';

/** A script that completes the commands in bash, from 3.2 on, which macOS has. */
export function bashCompletion(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name);
  return `# Completes fanout in bash: eval "$(fanout completion bash)"
_fanout() {
  local IFS=$'\\n'
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local want='' operands='' words='' flags='' value=''
  COMPREPLY=()
  # To bash the = in --flag=value is a word by itself.
  if [[ $current == '=' ]]; then
    current='' value=yes
  elif [[ $previous == '=' ]]; then
    previous="\${COMP_WORDS[COMP_CWORD - 2]}" value=yes
  fi
  if ((COMP_CWORD == 1)); then
    want=words words=${list([...names, 'help', HELP.short, HELP.long, VERSION.short, VERSION.long])}
  else
    case "\${COMP_WORDS[1]}" in
    help) operands=words words=${list(names)} ;;
${commands.map(commandCase).join('\n')}
    esac
  fi
  if [[ -n $value && $previous != -* ]]; then
    want=files # the file of --report junit=FILE
  elif [[ -z $want && $current == -* ]]; then
    want=words words=$flags
  fi
  case "\${want:-$operands}" in
  words)
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
    ;;
  files) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$current")) ;;
  directories) compopt -o dirnames 2>/dev/null || COMPREPLY=($(compgen -d -- "$current")) ;;
  esac
}
complete -F _fanout fanout
`;
}

function commandCase({ name, options, operands: [operand] }: CommandSpec): string {
  const flags = flagsOf(options);
  const names = [...flags.flatMap(spellings), HELP.short, HELP.long];
  const values = flags.filter(({ value }) => value?.startsWith('<'));
  const cases = values.map(
    (flag) => `      ${spellings(flag).join(' | ')}) ${wanted('want', flag.suggestions)} ;;\n`,
  );
  return `    ${name})
      ${wanted('operands', operand?.suggestions)}
      flags=${list(names)}
      case "$previous" in
${cases.join('')}      esac
      ;;`;
}

/** Sets what is to be completed; `text` completes to nothing. */
function wanted(variable: 'want' | 'operands', suggestions: Suggestions = []): string {
  if (typeof suggestions === 'string') return `${variable}=${suggestions}`;
  return suggestions.length === 0 ? `${variable}=text` : `${variable}=words words=${list(suggestions)}`;
}

function spellings({ short, long }: Flag): readonly string[] {
  return short === undefined ? [long] : [short, long];
}

/** Words with a line break between them. They are names of ours, without anything that would have to be quoted. */
function list(words: readonly string[]): string {
  return `$'${words.join('\\n')}'`;
}
