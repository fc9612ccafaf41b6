import { describe, expect, it } from 'vitest';
import { run } from './run-program.ts';

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
