import { describe, expect, it } from 'vitest';
import { GROUPS, type Table } from '../../src/config/option.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { run } from './run-program.ts';

describe('help and version', () => {
  it.each(['-V', '--version'])('%s gives the version', async (flag) => {
    expect(await run([flag])).toEqual({ exitCode: 0, out: '1.2.3\n', err: '', calls: [] });
  });

  it.each([[['--help']], [['-h']], [['help']]])('%j lists the commands and examples', async (args) => {
    const { exitCode, out, err } = await run(args);
    expect([exitCode, err]).toEqual([0, '']);
    expect(out).toMatch(/^Usage: fanout /);
    expect(out).toContain('fetch [options] [inputs...]');
    expect(out).toMatch(/\nExamples:\n {2}fanout fetch urls\.txt /);
  });

  it.each([[['fetch', '--help']], [['fetch', '-h', 'x', '-c', '0']], [['help', 'fetch']]])(
    '%j shows the help of fetch and runs nothing',
    async (args) => {
      const { exitCode, out, err, calls } = await run(args);
      expect([exitCode, err, calls]).toEqual([0, '', []]);
      expect(out).toMatch(/^Usage: fanout fetch \[options\] \[inputs\.\.\.\]\n/);
      expect(out).toMatch(/\nExamples:\n/);
    },
  );

  const table: Table = programOptions;
  it.each(Object.entries(table))(
    'the help of fetch has %s with its sentence and its default',
    async (_, entry) => {
      const { out } = await run(['fetch', '--help'], undefined, 500);
      const line = out.split('\n').find((one) => one.trimStart().startsWith(`${entry.flags} `)) ?? '';
      expect(line).toContain(` ${entry.help}`);
      if (entry.flags.includes('<') && typeof entry.default === 'number') {
        expect(line).toContain(`(default: ${entry.defaultText ?? entry.parser.print(entry.default)})`);
      }
      if (entry.noHelp !== undefined) expect(out).toContain(` ${entry.noHelp}\n`);
    },
  );

  it('has the headings in their order', async () => {
    const { out } = await run(['fetch', '--help']);
    const headings = out.split('\n').filter((line) => /^[A-Z][^.]*:$/.test(line));
    expect(headings).toEqual(['Arguments:', ...GROUPS.map((group) => `${group}:`), 'Examples:']);
  });

  it('wraps to the width of the terminal', async () => {
    const [options = ''] = (await run(['fetch', '--help'], undefined, 90)).out.split('Examples:');
    const widths = options.split('\n').map((line) => line.length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(90);
    expect(Math.max(...widths)).toBeGreaterThan(80);
  });
});
