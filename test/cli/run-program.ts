import type { CommandName } from '../../src/cli/command-specs.ts';
import { buildProgram, type RunCommand } from '../../src/cli/program.ts';

/** What a run gave, and what the command was called with. */
export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly (readonly [readonly string[], Readonly<Record<string, unknown>>])[];
}

/** Runs the program with these arguments and with commands that are faked. */
export async function run(
  args: readonly string[],
  fake: RunCommand = async () => 0,
  columns?: number,
): Promise<Outcome> {
  const written = { out: '', err: '' };
  const calls: (readonly [readonly string[], Readonly<Record<string, unknown>>])[] = [];
  const command: RunCommand = (operands, flags) => {
    calls.push([operands, flags]);
    return fake(operands, flags);
  };
  const program = buildProgram({
    version: '1.2.3',
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    columns,
    ...commandsAs(command),
  });
  return { exitCode: await program.run(args), ...written, calls };
}

/** Every command of the program, as this one. */
export function commandsAs(command: RunCommand): Readonly<Record<CommandName, RunCommand>> {
  return {
    fetch: command,
    report: command,
    diff: command,
    feed: command,
    work: command,
    collect: command,
    status: command,
    dead: command,
    purge: command,
    completion: command,
  };
}
