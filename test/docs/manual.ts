import { type CommandSpec, type Flag, longHelp, toFlags } from '../../src/cli/command-specs.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { EXIT_MEANINGS } from '../../src/cli/help.ts';
import { GROUPS } from '../../src/config/option.ts';

const BEGIN =
  '<!-- From here to the next mark: made by "npm run manual". Change src/config and src/cli, and run it. -->';
const END = '<!-- Here ends what is made. -->';

/** Returns the page with the part between the marks generated from the commands and their options. */
export function renewManual(page: string, commands: readonly CommandSpec[]): string {
  const [before, rest = ''] = page.split(BEGIN);
  const after = rest.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`Cannot make the manual: docs/manual.md must have the marks ${BEGIN} and ${END}`);
  }
  return `${before}${BEGIN}\n\n${generated(commands)}\n\n${END}${after}`;
}

function generated(commands: readonly CommandSpec[]): string {
  return [overview(commands), ...commands.map(chapter), exitCodes()].join('\n\n');
}

function overview(commands: readonly CommandSpec[]): string {
  const rows = commands.map(({ name, summary }) => [
    `[\`fanout ${name}\`](#fanout-${name.replace(' ', '-')})`,
    summary,
  ]);
  return table(['command', 'what it does'], rows);
}

function chapter({ name, description, operands, options, examples }: CommandSpec): string {
  const flags = toFlags(options);
  const usage = [
    'fanout',
    name,
    ...(flags.length === 0 ? [] : ['[options]']),
    ...operands.map((one) => one.name),
  ];
  return [
    `## fanout ${name}`,
    `\`${usage.join(' ')}\``,
    prose(description),
    ...(operands.length === 0
      ? []
      : [
          table(
            ['operand', ''],
            operands.map((one) => [code(one.name), prose(one.help)]),
          ),
        ]),
    ...GROUPS.flatMap((group) => groupOf(group, flags)),
    ...exampleOf(examples),
  ].join('\n\n');
}

function groupOf(group: string, flags: readonly Flag[]): readonly string[] {
  const rows = flags
    .filter((flag) => flag.group === group)
    .map((flag) => [
      code(flag.spelling),
      prose(flag.defaultText ?? ''),
      prose(longHelp({ ...flag, defaultText: undefined })),
    ]);
  return rows.length === 0 ? [] : [`### ${group}`, table(['flag', 'default', 'what it does'], rows)];
}

// Examples consist of a heading, lines with a command and a remark, and sentences.
function exampleOf(examples: string): readonly string[] {
  const [heading = '', ...lines] = examples.trim().split('\n');
  const code = lines
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim().replace(/ {2,}/, '$&# '));
  const sentences = lines.filter((line) => line !== '' && !line.startsWith('  '));
  return [prose(heading), `\`\`\`sh\n${code.join('\n')}\n\`\`\``, ...sentences.map(prose)];
}

function exitCodes(): string {
  const rows = Object.entries(EXIT).map(([key, value]) => [
    `${value}`,
    prose(EXIT_MEANINGS[key as keyof typeof EXIT]),
  ]); // a key of EXIT
  return `## Exit codes\n\n${table(['code', 'meaning'], rows)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Formats code in a table cell, where even a `|` in code would end the cell. */
function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

/** Escapes Markdown, and formats flags as code. */
function prose(text: string): string {
  return text.replace(/[\\`*_<>[\]|~#]/g, '\\$&').replace(/(?<![\w-])--?[a-zA-Z][\w-]*(?:-\w+)*/g, '`$&`');
}
