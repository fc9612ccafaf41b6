import type { Suggestions } from '../../config/option.ts';
import { UsageError } from '../../model/errors.ts';
import { excerpt } from '../../model/printable.ts';
import { COMMANDS, type CommandSpec, type Flag, type Operand, toFlags } from '../command-specs.ts';
import { EXIT } from '../exit-code.ts';
import { HELP_TOPICS } from '../help.ts';
import { writeText } from '../terminal.ts';

/** The functions that make the script of each shell. */
const SCRIPTS: ReadonlyMap<string, (commands: readonly CommandSpec[]) => string> = new Map([
  ['bash', toBashScript],
  ['zsh', toZshScript],
  ['fish', toFishScript],
]);

// The flags of fanout itself. `--help` is also a flag of each command.
const HELP = { short: '-h', long: '--help', help: 'show this help' } as const;
const VERSION = { short: '-V', long: '--version', help: 'show the version' } as const;

const CLUSTER = { name: 'cluster', summary: 'fetch one list on many machines' } as const;

interface NamedCommand {
  readonly name: string;
  readonly summary: string;
}

/** Commands of one word; `cluster` stands for its commands. */
function firstWords(commands: readonly CommandSpec[]): readonly NamedCommand[] {
  const own = commands.filter(({ name }) => !name.startsWith('cluster '));
  return own.length === commands.length ? own : [...own, CLUSTER];
}

/** The commands of `cluster`, by their second word. */
function clusterCommands(commands: readonly CommandSpec[]): readonly NamedCommand[] {
  return commands.flatMap(({ name, summary }) => {
    const [first, second] = name.split(' ');
    return first === 'cluster' && second !== undefined ? [{ name: second, summary }] : [];
  });
}

export interface CompletionArguments {
  readonly shell: string;
  readonly process: NodeJS.Process;
}

/** `fanout completion`: returns the exit code. Throws a `UsageError` for an unknown shell. */
export function completionCommand({ shell, process }: CompletionArguments): number {
  const toScript = SCRIPTS.get(shell);
  if (toScript === undefined) {
    const shells = [...SCRIPTS.keys()].join(', ');
    throw new UsageError(`no completions for "${excerpt(shell)}"; the shells are ${shells}`);
  }
  writeText(process.stdout, toScript(COMMANDS));
  return EXIT.ok;
}

/** Returns a script for bash 3.2 and later: macOS has 3.2. */
export function toBashScript(commands: readonly CommandSpec[]): string {
  const names = firstWords(commands).map(({ name }) => name);
  const clusterNames = clusterCommands(commands).map(({ name }) => name);
  return `# Completes fanout in bash: eval "$(fanout completion bash)"
_fanout() {
  local IFS=$'\\n'
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local command="\${COMP_WORDS[1]}" want='' operands='' words='' flags='' value=''
  COMPREPLY=()
  # To bash the = in --flag=value is a word by itself.
  if [[ $current == '=' ]]; then
    current='' value=yes
  elif [[ $previous == '=' ]]; then
    previous="\${COMP_WORDS[COMP_CWORD - 2]}" value=yes
  fi
  if ((COMP_CWORD == 1)); then
    want=words words=${bashWords([...names, 'help', HELP.short, HELP.long, VERSION.short, VERSION.long])}
  elif ((COMP_CWORD == 2)) && [[ $command == cluster ]]; then
    want=words words=${bashWords([...clusterNames, HELP.short, HELP.long])}
  else
    if [[ $command == cluster ]]; then command="cluster \${COMP_WORDS[2]}"; fi
    case "$command" in
    help) operands=words words=${bashWords([...names, ...HELP_TOPICS])} ;;
${commands.map(bashCommandCase).join('\n')}
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

function bashCommandCase({ name, options, operands: [operand] }: CommandSpec): string {
  const flags = toFlags(options);
  const names = [...flags.flatMap(bashSpellings), HELP.short, HELP.long];
  const values = flags.filter(({ value }) => value?.startsWith('<'));
  const cases = values.map(
    (flag) => `      ${bashSpellings(flag).join(' | ')}) ${bashWanted('want', flag.suggestions)} ;;\n`,
  );
  return `    '${name}')
      ${bashWanted('operands', operand?.suggestions)}
      flags=${bashWords(names)}
      case "$previous" in
${cases.join('')}      esac
      ;;`;
}

/** Returns an assignment of what is completed. `text` completes to nothing. */
function bashWanted(variable: 'want' | 'operands', suggestions: Suggestions = []): string {
  if (typeof suggestions === 'string') return `${variable}=${suggestions}`;
  return suggestions.length === 0 ? `${variable}=text` : `${variable}=words words=${bashWords(suggestions)}`;
}

function bashSpellings({ short, long }: Flag): readonly string[] {
  return short === undefined ? [long] : [short, long];
}

/** Returns the words as a bash string, with line breaks between them. No word needs quoting. */
function bashWords(words: readonly string[]): string {
  return `$'${words.join('\\n')}'`;
}

/** Returns a script for fish. */
export function toFishScript(commands: readonly CommandSpec[]): string {
  const first = firstWords(commands);
  const topics = [...first.map(({ name }) => name), ...HELP_TOPICS].join(' ');
  return `# Completes fanout in fish: fanout completion fish | source
function __fanout_runs
    set -l words (commandline -opc)
    set -e words[1]
    set -l length (count $argv)
    test (count $words) -ge $length; and test "$words[1..$length]" = "$argv"
end
function __fanout_is
    set -l words (commandline -opc)
    set -e words[1]
    test "$words" = "$argv"
end
complete -c fanout -f
${first.map((command) => fishCommand('__fanout_is', command)).join('\n')}
complete -c fanout -n __fanout_is -a help -d 'show the help of a command or topic'
complete -c fanout -n '__fanout_runs help' -a ${fishQuoted(topics)}
${clusterCommands(commands)
  .map((command) => fishCommand("'__fanout_is cluster'", command))
  .join('\n')}
complete -c fanout -n __fanout_is ${fishHelpFlag(VERSION)}
complete -c fanout ${fishHelpFlag(HELP)}
${commands.flatMap(fishCommandLines).join('\n')}
`;
}

function fishCommand(condition: string, { name, summary }: NamedCommand): string {
  return `complete -c fanout -n ${condition} -a ${name} -d ${fishQuoted(summary)}`;
}

function fishHelpFlag({ short, long, help }: typeof HELP | typeof VERSION): string {
  return `-s ${short.slice(1)} -l ${long.slice(2)} -d ${fishQuoted(help)}`;
}

function fishCommandLines({ name, options, operands: [operand] }: CommandSpec): readonly string[] {
  const start = `complete -c fanout -n '__fanout_runs ${name}'`;
  return [
    ...toFlags(options).map((flag) => `${start} ${fishFlag(flag)}`),
    ...(operand === undefined ? [] : [`${start} ${fishOperand(operand.suggestions)}`]),
  ];
}

function fishFlag({ short, long, value, help, suggestions }: Flag): string {
  const names = `${short === undefined ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  const values = value?.startsWith('<') ? ` ${fishValue(suggestions)}` : '';
  return `${names}${values} -d ${fishQuoted(help)}`;
}

/** `-r` requires a value, `-x` one that is not a file. */
function fishValue(suggestions: Suggestions = []): string {
  if (suggestions === 'files') return '-r -F';
  if (suggestions === 'directories') return "-x -a '(__fish_complete_directories)'";
  if (suggestions.length === 0) return '-x';
  const isPair = suggestions.some((word) => word.endsWith('='));
  return `${isPair ? '-r -F' : '-x'} -a ${fishQuoted(suggestions.join(' '))}`;
}

function fishOperand(suggestions: Suggestions): string {
  if (suggestions === 'files') return '-F';
  if (suggestions === 'directories') return "-a '(__fish_complete_directories)'";
  return `-a ${fishQuoted(suggestions.join(' '))}`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}

/** Returns a script for zsh, to be sourced or to be saved as `_fanout` in a directory of `$fpath`. */
export function toZshScript(commands: readonly CommandSpec[]): string {
  const own = commands.filter(({ name }) => !name.startsWith('cluster '));
  const cluster = commands.filter(({ name }) => name.startsWith('cluster '));
  return `#compdef fanout
# Completes fanout in zsh: eval "$(fanout completion zsh)"
_fanout_pairs() { # KIND=, and a file behind it
  if compset -P '*='; then _files; else compadd -S '' -- "$@"; fi
}
_fanout_cluster() {
  local curcontext="$curcontext" context state state_descr line
  typeset -A opt_args
  local -a commands=(
${zshNames(clusterCommands(commands))}
  )
  _arguments -C ${zshHelpFlag(HELP)} '1:command:->command' '*::argument:->rest'
  case $state in
  command) _describe -t commands command commands ;;
  rest)
    case $words[1] in
${cluster.map(zshCommandCase).join('\n')}
    esac
    ;;
  esac
}
_fanout() {
  local curcontext="$curcontext" context state state_descr line
  typeset -A opt_args
  local -a commands=(
${zshNames(firstWords(commands))}
    'help:show the help of a command or topic'
  )
  _arguments -C ${zshHelpFlag(HELP)} ${zshHelpFlag(VERSION)} '1:command:->command' '*::argument:->rest'
  case $state in
  command) _describe -t commands command commands ;;
  rest)
    case $words[1] in
    help) _describe -t commands command commands; compadd -- ${HELP_TOPICS.join(' ')} ;;
    cluster) _fanout_cluster ;;
${own.map(zshCommandCase).join('\n')}
    esac
    ;;
  esac
}
if [[ $funcstack[1] == _fanout ]]; then _fanout "$@"; else compdef _fanout fanout; fi
`;
}

function zshNames(commands: readonly NamedCommand[]): string {
  return commands.map(({ name, summary }) => `    ${zshQuoted(`${name}:${summary}`)}`).join('\n');
}

function zshHelpFlag({ short, long, help }: typeof HELP | typeof VERSION): string {
  return `'(- *)'{${short},${long}}${zshQuoted(`[${help}]`)}`;
}

function zshCommandCase({ name, options, operands }: CommandSpec): string {
  const specs = [...toFlags(options).map(zshFlag), zshHelpFlag(HELP), ...operands.map(zshOperand)];
  return `    ${name.replace('cluster ', '')})\n      _arguments -s -S ${specs.join(' \\\n        ')}\n      ;;`;
}

function zshFlag(flag: Flag): string {
  const { short, long, help, defaultText, isRepeatable } = flag;
  const note = defaultText === undefined ? '' : ` (default: ${defaultText})`;
  const rest = zshQuoted(`[${(help + note).replace(/[[\]\\]/g, '\\$&')}]${zshValue(flag)}`);
  const many = isRepeatable ? "'*'" : '';
  const longSign = flag.value === undefined ? '' : flag.value.startsWith('[') ? '=-' : '=';
  if (short === undefined) return `${many}${long}${longSign}${rest}`;
  const shortSign = flag.value === undefined ? '' : '+';
  return `${isRepeatable ? many : `'(${short} ${long})'`}{${short}${shortSign},${long}${longSign}}${rest}`;
}

function zshValue({ value, suggestions }: Flag): string {
  if (value === undefined) return '';
  const name = value.replace(/^.=?|.$/g, '').replaceAll(':', '\\:');
  return `${value.startsWith('[') ? '::' : ':'}${name}:${zshAction(suggestions)}`;
}

function zshOperand({ name, help, suggestions }: Operand, index: number): string {
  const position = name.includes('...') ? '*' : `${index + 1}`;
  return zshQuoted(`${position}:${help.replaceAll(':', '\\:')}:${zshAction(suggestions)}`);
}

/** Returns what `_arguments` does for a value. A blank completes nothing. */
function zshAction(suggestions: Suggestions = []): string {
  if (suggestions === 'files') return '_files';
  if (suggestions === 'directories') return '_files -/';
  if (suggestions.length === 0) return ' ';
  if (suggestions.some((word) => word.endsWith('='))) return ` _fanout_pairs ${suggestions.join(' ')}`;
  return `(${suggestions.join(' ')})`;
}

function zshQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
