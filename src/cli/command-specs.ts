import { diffOptions } from '../config/diff-options.ts';
import { programOptions } from '../config/program-options.ts';
import { reportCommandOptions } from '../config/report-command-options.ts';
import { BROKER_COMMANDS } from './broker-command-specs.ts';
import type { CommandSpec } from './command-spec.ts';

export const FETCH_EXAMPLES = `
Examples:
  fanout fetch urls.txt                               fetch what the file lists
  fanout fetch urls.txt --json > results.jsonl        one JSON record for each URL
  cat urls.txt | fanout fetch -I -c 100 -q            check links, show those that fail
  fanout fetch urls.txt.gz --failed again.txt         keep the failed URLs as a new list
  fanout fetch urls.txt -H 'Authorization: $TOKEN'    a secret from the environment`;

const REPORT_EXAMPLES = `
Examples:
  fanout report results.jsonl                           the results as text, with a summary
  fanout report results.jsonl --format html -o a.html   one page for a browser
  fanout report a.jsonl b.jsonl --format junit          several runs in one report
  fanout fetch urls.txt --json | fanout report -q       only what is not OK

The exit code is 0 when the report could be made, whatever is in it, and 2 when a line is no result record, or the results of
a shard cannot be read.`;

const DIFF_EXAMPLES = `
Examples:
  fanout diff old.jsonl new.jsonl                     what has changed between two runs
  fanout diff old.jsonl new.jsonl -q                  what broke, and nothing else
  fanout diff old.jsonl - --format json < new.jsonl   for another program

The exit code is 1 when something broke. The URLs of OLD are held in memory, about 500 bytes each.`;

const COMPLETION_EXAMPLES = `
Examples:
  eval "$(fanout completion bash)"                                  in ~/.bashrc
  eval "$(fanout completion zsh)"                                   in ~/.zshrc, after compinit
  fanout completion fish > ~/.config/fish/completions/fanout.fish   once`;

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'fetch',
    summary: 'fetch every URL of the inputs',
    description: 'Fetches every URL of the inputs and writes one result for each, as they finish.',
    operands: [
      {
        name: '[inputs...]',
        help: 'files of URLs (also .gz), - for standard input, or URLs; standard input if there is none',
        suggestions: 'files',
      },
    ],
    options: programOptions,
    helpGroup: 'Configuration',
    examples: FETCH_EXAMPLES,
  },
  {
    name: 'report',
    summary: 'make a report of results',
    description: 'Reads results as fetch --json writes them, and makes one report of them.',
    operands: [
      {
        name: '[results...]',
        help: 'files of results (JSONL, also .gz), or - for standard input; standard input if there is none',
        suggestions: 'files',
      },
    ],
    options: reportCommandOptions,
    helpGroup: 'Output',
    examples: REPORT_EXAMPLES,
  },
  {
    name: 'diff',
    summary: 'compare the results of two runs',
    description: 'Compares two results: newly broken, mended, moved, slower and changed URLs.',
    operands: [
      {
        name: '<old>',
        help: 'the results of the earlier run (JSONL, also .gz), or - for standard input',
        suggestions: 'files',
      },
      { name: '<new>', help: 'the results of the later run', suggestions: 'files' },
    ],
    options: diffOptions,
    helpGroup: 'Output',
    examples: DIFF_EXAMPLES,
  },
  ...BROKER_COMMANDS,
  {
    name: 'completion',
    summary: 'make completions for a shell',
    description: 'Writes a script with which a shell completes commands, flags, values and file names.',
    operands: [{ name: '<shell>', help: 'bash, zsh or fish', suggestions: ['bash', 'zsh', 'fish'] }],
    options: {},
    helpGroup: 'Output',
    examples: COMPLETION_EXAMPLES,
  },
];
