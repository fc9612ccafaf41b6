import { buildProgram } from '../../src/cli/program.ts';

type Fetch = Parameters<typeof buildProgram>[0]['fetch'];

/** What a run gave, and what the command was called with. */
export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly (readonly [readonly string[], Readonly<Record<string, unknown>>])[];
}

/** Runs the program with these arguments and a `fetch` that is faked. */
export async function run(
  args: readonly string[],
  fetch: Fetch = async () => 0,
  columns?: number,
): Promise<Outcome> {
  const written = { out: '', err: '' };
  const calls: (readonly [readonly string[], Readonly<Record<string, unknown>>])[] = [];
  const program = buildProgram({
    version: '1.2.3',
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    columns,
    fetch: (inputs, flags) => {
      calls.push([inputs, flags]);
      return fetch(inputs, flags);
    },
  });
  return { exitCode: await program.run(args), ...written, calls };
}
