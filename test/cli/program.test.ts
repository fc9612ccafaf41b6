import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { InputError, UsageError } from '../../src/model/errors.ts';
import { commandsAs, run } from './run-program.ts';

describe('fanout fetch', () => {
  it('hands on inputs and the flags that were given, unparsed', async () => {
    const { calls } = await run(['fetch', 'a.txt', '-c', '8', '-', '--max-size=1kb', '-qI', 'http://x/']);
    expect(calls).toEqual([
      [['a.txt', '-', 'http://x/'], { concurrency: '8', maxSize: '1kb', quiet: true, head: true }],
    ]);
  });

  it('hands on no default', async () => {
    expect((await run(['fetch'])).calls).toEqual([[[], {}]]);
  });

  it('collects a repeatable flag, also one that is given once', async () => {
    expect((await run(['fetch', '-H', 'a: 1', 'x', '--header', 'b: 2'])).calls).toEqual([
      [['x'], { header: ['a: 1', 'b: 2'] }],
    ]);
    expect((await run(['fetch', '-Ha: 1'])).calls[0]?.[1]).toEqual({ header: ['a: 1'] });
  });

  it('takes the last of --progress and --no-progress', async () => {
    expect((await run(['fetch', '--progress', '--no-progress'])).calls[0]?.[1]).toEqual({ progress: false });
    expect((await run(['fetch', '--no-progress', '--progress'])).calls[0]?.[1]).toEqual({ progress: true });
  });

  it('gives false for --no-decompress', async () => {
    expect((await run(['fetch', '--no-decompress'])).calls[0]?.[1]).toEqual({ decompress: false });
  });

  it('takes what looks like a flag of fanout itself for a value', async () => {
    expect((await run(['fetch', '-d', '-V', '-A', '--help'])).calls[0]?.[1]).toEqual({
      data: '-V',
      userAgent: '--help',
    });
  });

  it('takes everything after -- for inputs', async () => {
    expect((await run(['fetch', '--', '-q', '--json'])).calls).toEqual([[['-q', '--json'], {}]]);
  });

  it('starts anew with each run', async () => {
    const calls: unknown[] = [];
    const program = buildProgram({
      version: '1',
      out: () => {},
      err: () => {},
      ...commandsAs(async () => 0),
      fetch: async (inputs, flags) => calls.push([inputs, flags]),
    });
    expect([
      await program.run(['fetch', '-H', 'a: 1']),
      await program.run(['fetch', '-H', 'b: 2', 'x']),
    ]).toEqual([1, 2]);
    expect(calls).toEqual([
      [[], { header: ['a: 1'] }],
      [['x'], { header: ['b: 2'] }],
    ]);
  });

  it('ends with the exit code of the command', async () => {
    expect(await run(['fetch', 'x'], async () => 1)).toMatchObject({ exitCode: 1, out: '', err: '' });
  });

  it('takes a usage error of the command for wrong usage', async () => {
    const outcome = await run(['fetch'], () =>
      Promise.reject(new UsageError('Cannot use "0" for --queue: no')),
    );
    expect(outcome).toMatchObject({ exitCode: 2, out: '', err: 'fanout: Cannot use "0" for --queue: no\n' });
  });

  it('throws errors of other kinds', async () => {
    await expect(run(['fetch'], () => Promise.reject(new InputError('gone')))).rejects.toThrow(
      new InputError('gone'),
    );
  });
});
