import { describe, expect, it } from 'vitest';
import { COMMANDS, type CommandName } from '../../src/cli/command-specs.ts';
import { HELP_TOPICS } from '../../src/cli/help.ts';
import { type RunCommand, runProgram } from '../../src/cli/program.ts';
import type { Table } from '../../src/config/option.ts';
import { fetchOptions } from '../../src/config/program-options.ts';
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

  it('refuses a number behind --fail-fast, which would be an input', async () => {
    for (const args of [
      ['fetch', '--fail-fast', '3', 'x'],
      ['cluster', 'fetch', '--fail-fast', '3'],
    ]) {
      const { exitCode, err, calls } = await run(args);
      expect([exitCode, calls]).toEqual([2, []]);
      expect(err).toContain('error: the value of --fail-fast must follow a "=": --fail-fast=3\n');
    }
    // A file that has such a name.
    expect((await run(['fetch', '--fail-fast', '--', '3'])).calls).toEqual([[['3'], { failFast: 'true' }]]);
    expect((await run(['fetch', '--fail-fast', './3'])).calls).toEqual([[['./3'], { failFast: 'true' }]]);
  });

  it.each([
    ['--output', ['-o', 'a', '--output=b']],
    ['--failed', ['--failed', 'a', '--failed', 'b']],
    ['--save-dir', ['--save-dir', 'a', '--save-dir', 'b']],
    ['--journal', ['--journal', 'a', '--journal', 'b']],
    ['--config', ['--config', 'a', '--config', 'b']],
    ['--data', ['-d', 'a=1', '-d', 'b=2']],
  ])('refuses a second %s with another value', async (flag, flags) => {
    const { exitCode, err, calls } = await run(['fetch', 'x', ...flags]);
    expect([exitCode, calls]).toEqual([2, []]);
    expect(err).toContain(`error: ${flag} is given twice, with different values; give it once\n`);
  });

  it('takes the same file twice, and the last of other values, as for an alias', async () => {
    const { calls } = await run(['fetch', '-o', 'a', '-o', 'a', '-c', '4', '-c', '8']);
    expect(calls).toEqual([[[], { output: 'a', concurrency: '8' }]]);
    expect((await run(['fetch', '-o', 'b'])).calls).toEqual([[[], { output: 'b' }]]);
  });

  it('is not the command that cluster fetch names', async () => {
    expect((await run(['cluster', 'fetch', 'x', '--broker', 'b', '--fail-fast'])).calls).toEqual([
      [['x'], { broker: 'b', failFast: 'true' }],
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
      Promise.reject(new UsageError('invalid value "0" for --queue-size: no')),
    );
    expect(outcome).toMatchObject({
      exitCode: 2,
      out: '',
      err: 'error: invalid value "0" for --queue-size: no\n',
    });
  });

  it('throws errors of other kinds', async () => {
    await expect(run(['fetch'], () => Promise.reject(new InputError('gone')))).rejects.toThrow(
      new InputError('gone'),
    );
  });
});

describe('version', () => {
  it.each(['-V', '--version'])('%s gives the version', async (flag) => {
    expect(await run([flag])).toEqual({ exitCode: 0, out: '1.2.3\n', err: '', calls: [] });
  });
});

describe('the short help', () => {
  it('is the same for fanout, fanout -h and fanout fetch -h', async () => {
    const short = await run(['fetch', '-h']);
    expect(short).toMatchObject({ exitCode: 0, err: '', calls: [] });
    expect(await run(['-h'])).toEqual(short);
    expect(await run([])).toEqual({ ...short, exitCode: 2, out: '', err: short.out });
  });

  it('has usage, five examples and 20 options with one line each', async () => {
    const { out } = await run(['fetch', '-h', 'x', '-c', '0']);
    expect(out).toMatch(/^Usage: fanout fetch \[options\] \[inputs\.\.\.\]\n/);
    expect(out.match(/^ {2}(cat|fanout) .*/gm)).toHaveLength(5);
    const [, options = ''] = /\nOptions:\n(.*?)\n\n/s.exec(out) ?? [];
    expect(options.split('\n')).toHaveLength(20);
    for (const line of options.split('\n')) expect(line).toMatch(/^ {2}(-\w, | {4})--\S.* {2,}\S/);
    expect(out.split('\n').length).toBeLessThan(40);
  });

  it.each(COMMANDS)('names options that fanout $name has', ({ common = [], options }) => {
    expect(common.filter((key) => options[key] === undefined)).toEqual([]);
  });
});

describe('the full help', () => {
  it.each([[['fetch', '--help']], [['fetch', '--help', 'x', '-c', '0']], [['help', 'fetch']]])(
    '%j shows the help of fetch and runs nothing',
    async (args) => {
      expect(await run(args)).toEqual({ ...(await run(['fetch', '--help'])), calls: [] });
    },
  );

  it.each(Object.entries<Table[string]>(fetchOptions).filter(([, { inFileOnly }]) => inFileOnly !== true))(
    'of fetch has %s with its sentences and its default',
    async (_, entry) => {
      const { out } = await run(['fetch', '--help']);
      const text = out.replace(/\s+/g, ' ');
      expect(text).toContain(` ${entry.flags} ${entry.help}`);
      if (entry.details !== undefined) expect(text).toContain(` ${entry.details}`);
      if (entry.flags.includes('<') && typeof entry.default === 'number') {
        expect(text).toContain(
          `${entry.help} (default: ${entry.defaultText ?? entry.parser.print(entry.default)})`,
        );
      }
      if (entry.noHelp !== undefined) expect(text).toContain(` ${entry.noHelp} `);
    },
  );

  it('of fetch has the headings in the order of the contract, the exit codes last, and nothing of clusters', async () => {
    const { out } = await run(['fetch', '--help']);
    const headings = out.split('\n').filter((line) => /^[A-Z][^.]*:$/.test(line));
    expect(headings).toEqual([
      'Arguments:',
      'Examples:',
      'Input:',
      'Request:',
      'Speed and politeness:',
      'Time, retries, size:',
      'What counts as OK:',
      'Output:',
      'Bodies:',
      'Resume:',
      'Reports and comparison:',
      'Network:',
      'Configuration:',
      'Exit codes:',
    ]);
    expect(out).not.toMatch(/--broker|NATS|cluster/);
  });

  it.each([40, 59, 60, 72, 90])('of every command and topic fits into %d columns', async (columns) => {
    const pages = [[], ['--help'], ['cluster'], ...HELP_TOPICS.map((topic) => ['help', topic])];
    for (const { name } of COMMANDS) pages.push([...name.split(' '), '-h'], [...name.split(' '), '--help']);
    for (const page of pages) {
      const { out, err } = await run(page, undefined, columns);
      const wide = `${out}${err}`.split('\n').filter((line) => line.length > columns && / \S+ \S/.test(line));
      expect([page, wide]).toEqual([page, []]);
    }
  });

  it('of a narrow terminal has examples that a shell can read', async () => {
    const { out } = await run(['fetch', '-h'], undefined, 40);
    expect(out).toContain(
      "  fanout fetch urls.txt -H \\\n    'Authorization: $TOKEN'\n          a secret from",
    );
    expect(out).toContain('  -c, --concurrency <n>\n          maximum number of requests in');
  });

  it.each([
    [['--help'], /^ {2}cluster collect {2,}\S/m],
    [['help'], /^ {2}cluster collect {2,}\S/m],
    [['cluster', '--help'], /^Usage: fanout cluster <command>/],
    [['help', 'cluster'], /^Usage: fanout cluster <command>/],
    [['help', 'cluster', 'feed'], /^Usage: fanout cluster feed \[options\] \[inputs/],
    [['cluster', 'feed', '--help'], /^Cluster:\n {6}--broker <url>/m],
    [['diff', '--help'], /^Usage: fanout diff \[options\] <old> <new>/],
    [['help', 'exit-codes'], /^Exit codes:\n {2}0 {4}every URL is OK/],
  ])('%j', async (args, pattern) => {
    expect(await run(args)).toMatchObject({ exitCode: 0, out: expect.stringMatching(pattern), err: '' });
  });

  it.each(HELP_TOPICS)('has the topic %s, as it is in the help of fetch', async (topic) => {
    const { exitCode, out } = await run(['help', topic]);
    expect([exitCode, out.length > 50]).toEqual([0, true]);
    expect((await run(['fetch', '--help'])).out).toContain(out.split('\n')[0]);
  });

  it('of a cluster command without a name is an error', async () => {
    const { out } = await run(['cluster', '--help']);
    expect(await run(['cluster'])).toEqual({ exitCode: 2, out: '', err: out, calls: [] });
  });
});

describe('wrong usage', () => {
  it.each([
    [['urls.txt'], 'unknown command "urls.txt"; to fetch URLs, type "fanout fetch urls.txt"'],
    [['get', 'urls.txt'], 'unknown command "get"; to fetch URLs, type "fanout fetch urls.txt"'],
    [['download', '-c', '4'], 'unknown command "download"; to fetch URLs, type "fanout fetch download"'],
    [['-'], 'unknown command "-"; to fetch URLs, type "fanout fetch -"'],
    [['fecth', 'x'], 'unknown command "fecth"; did you mean "fetch"?'],
    [['fetsh', 'x'], 'unknown command "fetsh"; did you mean "fetch"?'],
    [['collect'], 'unknown command "collect"; did you mean "cluster collect"?'],
    [['help', 'fetsh'], 'no help for "fetsh"; did you mean "fetch"?'],
    [['help', 'zzz'], /^no help for "zzz"; the topics are input, .*, exit-codes$/],
    [['fetch', '--concurency', '3'], 'unknown option --concurency; did you mean --concurrency?'],
    [['fetch', '--no-progres'], 'unknown option --no-progres; did you mean --no-progress?'],
    [['fetch', '--nonsense'], 'unknown option --nonsense'],
    [['version'], 'unknown command "version"; did you mean "--version"?'],
    [['fetch', '-concurrency', '5', 'x'], 'unknown option -concurrency; did you mean --concurrency?'],
    [['fetch', 'x', '-json'], 'unknown option -json; did you mean --json?'],
    [['fetch', 'x', '-timeout=5s'], 'unknown option -timeout; did you mean --timeout?'],
    [['fetch', 'x', '-z'], 'unknown option -z'],
    [['fetch', '--json=yes'], '--json takes no value'],
    [['fetch', '-c'], 'missing value for -c, --concurrency <n>'],
    [['-c', '8', 'fetch'], '-c belongs after the command: fanout fetch --concurrency <n>'],
    [['--json', 'x'], '--json belongs after the command: fanout fetch --json'],
    [['--fail-fast', 'x'], '--fail-fast belongs after the command: fanout fetch --fail-fast[=n]'],
    [['fetch', '--broker', 'x'], 'there is no option --broker here: use "fanout cluster fetch"'],
  ])('ends with exit code 2 and says what to type: %j', async (args, message) => {
    const { exitCode, out, err, calls } = await run(args);
    expect([exitCode, out, calls]).toEqual([2, '', []]);
    const [first, second] = err.split('\n');
    expect(first?.replace('error: ', '')).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
    expect(second).toBe('For help: fanout fetch --help');
  });

  it.each([
    [['cluster', 'fecth'], 'unknown command "cluster fecth"; did you mean "cluster fetch"?', 'cluster'],
    [['cluster', 'zzz'], 'unknown command "cluster zzz"', 'cluster'],
    [['diff', 'old.jsonl'], 'missing argument <new>', 'diff'],
    [['completion', 'bash', 'zsh'], 'too many arguments', 'completion'],
    [['cluster', 'feed', '--chunks', '3'], 'unknown option --chunks; did you mean --chunk?', 'cluster feed'],
    [
      ['cluster', 'collect', '--journal', 'j'],
      /^there is no option --journal here: .* in the broker/,
      'cluster collect',
    ],
    [
      ['cluster', 'fetch', '--keep-failed'],
      /^there is no option --keep-failed here: .* --failed/,
      'cluster fetch',
    ],
    [
      ['cluster', 'fetch', '--extract', 'README.md'],
      /^there is no option --extract here: a cluster run reads lists: .*fanout extract/,
      'cluster fetch',
    ],
    [['cluster', 'feed', '--base-url', 'x'], /^there is no option --base-url here: .*lists/, 'cluster feed'],
    [['cluster', 'work', '--threads', '2'], /"fanout cluster work" once per core/, 'cluster work'],
  ])('of another command names its help: %j', async (args, message, command) => {
    const [first, second] = (await run(args)).err.split('\n');
    expect(first?.replace('error: ', '')).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
    expect(second).toBe(`For help: fanout ${command} --help`);
  });

  it.each([
    ['-L', '--max-redirects'],
    ['--location', '--max-redirects'],
    ['-s', '--silent'],
    ['-O', '--save-dir DIR'],
    ['-P', '--concurrency N'],
    ['-j', '--concurrency N'],
    ['--jobs', '--concurrency N'],
    ['--parallel', '--concurrency N'],
    ['--retry', '--retries N'],
    ['--max-time', '--timeout D'],
    ['--output-dir', '--save-dir DIR'],
    ['--state', '--flaky-state FILE'],
    ['--name', '--save-as TEMPLATE'],
    ['--queue', '--queue-size N'],
    ['--tries', '--retries N'],
    ['-f', '--accept'],
    ['--fail', '--accept'],
    ['-i', '--record headers'],
    ['-w', '--template'],
    ['-x', '--proxy'],
    ['--socks5', '--proxy socks5://'],
    ['--socks5-hostname', '--proxy socks5h://'],
    ['--noproxy', 'NO_PROXY'],
    ['--cookie', '-H'],
    ['--data-raw', '-d'],
    ['-T', '-d @FILE'],
    ['--compressed', '--no-decompress'],
    ['--url', 'arguments'],
    ['--input-file', 'arguments'],
    ['--continue', '--journal'],
    ['--spider', '-I'],
    ['--no-check-certificate', '-k'],
    ['--wait', '--host-rate'],
    ['--limit-rate', '--rate'],
    ['--no-color', '--color never'],
  ])('gives a hint for %s of another program', async (flag, hint) => {
    const { exitCode, err } = await run(['fetch', 'x', flag, '3']);
    expect(exitCode).toBe(2);
    expect(err).toMatch(`error: there is no option ${flag} here: `);
    expect(err).toContain(hint);
  });

  it('makes what was typed printable', async () => {
    expect((await run(['a\u001b[31m\nb'])).err).toContain('unknown command "a\\u{1b}[31m');
    expect((await run(['fetch', '--a\u001b[31m'])).err).toContain('unknown option --a\\u{1b}[31m\n');
    for (const word of ['x\u0007\n', '-\u0007', '--\u0007\n=x', '--\n(Did you mean']) {
      const { err } = await run(['fetch', word, '--nope']);
      expect(err).toMatch(/^error: [^\u0000-\u001f]+\nFor help[^\u0000-\u001f]+\n$/);
    }
  });

  it('shows nothing of what stands behind a =', async () => {
    expect((await run(['fetch', '--headr=Cookie: s3cret'])).err).not.toContain('s3cret');
    expect((await run(['--headr=Cookie: s3cret'])).err).not.toContain('s3cret');
  });

  it('shows nothing of what stands right behind a single letter', async () => {
    expect((await run(['fetch', '-Ume:s3cret'])).err).toMatch(/^error: unknown option -U\n/);
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
    commands: commands(recorded),
  });
  return { exitCode, ...written, calls };
}

function commands(command: RunCommand): Readonly<Record<CommandName, RunCommand>> {
  // `Object.fromEntries` gives text for keys.
  return Object.fromEntries(COMMANDS.map(({ name }) => [name, command])) as Record<CommandName, RunCommand>;
}
