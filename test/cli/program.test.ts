import { describe, expect, it } from 'vitest';
import { type RunCommand, runProgram } from '../../src/cli/program.ts';
import { GROUPS, type Table } from '../../src/config/option.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { InputError, UsageError } from '../../src/model/errors.ts';

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

  it('takes a value for --fail-fast only after a =', async () => {
    expect((await run(['fetch', '--fail-fast', 'x'])).calls).toEqual([[['x'], { failFast: 'true' }]]);
    expect((await run(['fetch', '--fail-fast=3', 'x'])).calls).toEqual([[['x'], { failFast: '3' }]]);
    expect((await run(['fetch', '-A', '--fail-fast', '--', '--fail-fast'])).calls).toEqual([
      [['--fail-fast'], { userAgent: '--fail-fast' }],
    ]);
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
    expect((await run(['fetch', '-H', 'a: 1'])).calls).toEqual([[[], { header: ['a: 1'] }]]);
    expect((await run(['fetch', '-H', 'b: 2', 'x'])).calls).toEqual([[['x'], { header: ['b: 2'] }]]);
  });

  it('ends with the exit code of the command', async () => {
    expect(await run(['fetch', 'x'], async () => 1)).toMatchObject({ exitCode: 1, out: '', err: '' });
  });

  it('takes a usage error of the command for wrong usage', async () => {
    const outcome = await run(['fetch'], () =>
      Promise.reject(new UsageError('Cannot use "0" for --queue-size: no')),
    );
    expect(outcome).toMatchObject({
      exitCode: 2,
      out: '',
      err: 'fanout: Cannot use "0" for --queue-size: no\n',
    });
  });

  it('throws errors of other kinds', async () => {
    await expect(run(['fetch'], () => Promise.reject(new InputError('gone')))).rejects.toThrow(
      new InputError('gone'),
    );
  });
});

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
      const line = out.split('\n').find((one) => one.trimStart().startsWith(`${entry.flags.replace('[=', ' [')} `)) ?? '';
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

const HINT = 'See fanout --help and fanout fetch --help.\n';

describe('wrong usage', () => {
  it.each([
    [[], 'Cannot tell what to do: name a command, as in "fanout fetch urls.txt"'],
    [
      ['urls.txt'],
      'Cannot run "urls.txt": it is no command of fanout; to fetch URLs, type "fanout fetch urls.txt"',
    ],
    [['-'], 'Cannot run "-": it is no command of fanout; to fetch URLs, type "fanout fetch -"'],
    [['fetsh', 'x'], 'Cannot run "fetsh": it is no command of fanout; did you mean fetch?'],
    [['help', 'fetsh'], 'Cannot run "fetsh": it is no command of fanout; did you mean fetch?'],
    [
      ['fetch', '--concurency', '3'],
      'Cannot use --concurency: there is no such option, did you mean --concurrency?',
    ],
    [
      ['fetch', '--no-progres'],
      'Cannot use --no-progres: there is no such option, did you mean --no-progress?',
    ],
    [['fetch', '--nonsense'], 'Cannot use --nonsense: there is no such option'],
    [['fetch', 'x', '-z'], 'Cannot use -z: there is no such option'],
    [['fetch', '--json=yes'], 'Cannot use --json with a value: it takes none'],
    [['fetch', '-c'], "Option '-c, --concurrency <n>' argument missing"],
    [
      ['-c', '8', 'fetch'],
      'Cannot use -c here: it belongs after the command, as in "fanout fetch --concurrency <n>"',
    ],
    [['--json', 'x'], 'Cannot use --json here: it belongs after the command, as in "fanout fetch --json"'],
  ])('ends with exit code 2 and says what to type: %j', async (args, message) => {
    expect(await run(args)).toEqual({ exitCode: 2, out: '', err: `fanout: ${message}\n${HINT}`, calls: [] });
  });

  it('makes what was typed printable', async () => {
    expect((await run(['a\u001b[31m\nb'])).err).toContain('Cannot run "a\\u{1b}[31m b"');
    expect((await run(['fetch', '--a\u001b[31m'])).err).toContain('Cannot use --a\\u{1b}[31m: there');
    for (const word of ['x\u0007\n', '-\u0007', '--\u0007\n=x', '--\n(Did you mean']) {
      const { err } = await run(['fetch', word, '--nope']);
      expect(err).toMatch(/^fanout: [^\u0000-\u001f]+\nSee [^\u0000-\u001f]+\n$/);
    }
  });

  it('shows nothing of what stands behind a =', async () => {
    expect((await run(['fetch', '--headr=Cookie: s3cret'])).err).not.toContain('s3cret');
    expect((await run(['--headr=Cookie: s3cret'])).err).not.toContain('s3cret');
  });

  it('shows nothing of what stands right behind a single letter', async () => {
    expect((await run(['fetch', '-Ume:s3cret'])).err).toMatch(
      /^fanout: Cannot use -U: there is no such option\n/,
    );
  });

  it('shows no password of a URL that is given for a command', async () => {
    const { err } = await run(['http://me:s3cret@a.test/']);
    expect(err).toContain('type "fanout fetch http://***@a.test/"');
    expect(err).not.toContain('s3cret');
  });
});

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** Operands and flags of each call of a command. */
  readonly calls: readonly Parameters<RunCommand>[];
}

/** Runs the program with these arguments, and `command` as each of its commands. */
async function run(
  args: readonly string[],
  command: RunCommand = async () => 0,
  columns?: number,
): Promise<Outcome> {
  const written = { out: '', err: '' };
  const calls: Parameters<RunCommand>[] = [];
  const recorded: RunCommand = (operands, flags) => {
    calls.push([operands, flags]);
    return command(operands, flags);
  };
  const exitCode = await runProgram(args, {
    version: '1.2.3',
    writeOut: (text) => {
      written.out += text;
    },
    writeError: (text) => {
      written.err += text;
    },
    columns,
    commands: {
      fetch: recorded,
      report: recorded,
      diff: recorded,
      feed: recorded,
      work: recorded,
      collect: recorded,
      status: recorded,
      dead: recorded,
      purge: recorded,
      completion: recorded,
    },
  });
  return { exitCode, ...written, calls };
}
