import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { anOrigin } from './an-origin.ts';

const DOCUMENTS = fileURLToPath(new URL('../../fixtures/documents', import.meta.url));

/** A directory of two documents: of their links to an origin one fails, and of those to files another. */
async function aSite() {
  const origin = await anOrigin();
  const root = await tempDir();
  await mkdir(join(root, 'docs'));
  await writeFile(
    join(root, 'docs', 'a.md'),
    `# A\n\n[ok](${origin.url}/ok), [gone](${origin.url}/status/404)\n[b](b.html) [top](#a) <m@x.example>\n`,
  );
  await writeFile(join(root, 'docs', 'b.html'), `<p>\n<a href="a.md">a</a> <img src="no.png">\n`);
  return { origin, root };
}

const places = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ source, line, column, url, ok, failure }) => [
      `${source}:${line}:${column}`,
      url,
      ok,
      failure?.kind,
    ])
    .sort();

describe('fanout fetch --extract', () => {
  it.each([
    ['in one thread', []],
    ['in threads', ['--threads', '2']],
  ])('fetches the links of documents, and looks up files, %s', async (_, flags) => {
    const { origin, root } = await aSite();
    const { code, stdout, stderr } = await runCli(['fetch', '--extract', 'docs', '--json', ...flags], {
      cwd: root,
    });
    expect(places(stdout)).toEqual(
      [
        ['docs/a.md:3:38', `${origin.url}/status/404`, false, 'status'],
        ['docs/a.md:3:6', `${origin.url}/ok`, true, undefined],
        ['docs/a.md:4:5', 'file:docs/b.html', true, undefined],
        ['docs/b.html:2:10', 'file:docs/a.md', true, undefined],
        ['docs/b.html:2:32', 'file:docs/no.png', false, 'invalid'],
      ]
        .map(([place = '', ...rest]) => [
          String(place).replace('3:38', `3:${19 + origin.url.length}`),
          ...rest,
        ])
        .sort(),
    );
    expect(stderr).toMatch('Done: 3 succeeded, 2 failed, 1 skipped');
    expect(code).toBe(1);
  });

  it('says where a link that fails is, in text, in annotations and in JUnit', async () => {
    const { root } = await aSite();
    const env = { GITHUB_ACTIONS: 'true' };
    const args = ['fetch', '--extract', '.', '-q', '--report', 'junit=report.xml', '--failed', 'failed.txt'];
    const { stdout, stderr } = await runCli(args, { cwd: root, env });
    expect(stdout).toMatch(
      'FAIL  invalid  file:docs/no.png   0ms  no such file: "docs/no.png" (docs/b.html:2:32)\n',
    );
    expect(stderr).toMatch(
      '::error file=docs/b.html,line=2,col=32::invalid file:docs/no.png no such file: "docs/no.png"\n',
    );
    const junit = await readFile(join(root, 'report.xml'), 'utf8');
    expect(junit.match(/<testcase classname="docs\/[ab]\.(?:md|html)[/"]/g)).toHaveLength(5);
    expect(junit).toMatch('docs/b.html:2:32: file:docs/no.png</failure>');
    expect(await readFile(join(root, 'failed.txt'), 'utf8')).toMatch(/^\S+\/status\/404\n$/);
  });

  it('fetches a document that is given by its URL', async () => {
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(request.url === '/page' ? '<a href="sub/x">x</a>\n<a href="?y">' : 'x');
    });
    const listening = await listen(server);
    onTestFinished(() => listening.close());
    const url = `http://${listening.authority}`;
    const { code, stdout } = await runCli(['fetch', '--extract', `${url}/page`, '--json', '--ordered']);
    expect([code, places(stdout)]).toEqual([
      0,
      [
        [`${url}/page:1:10`, `${url}/sub/x`, true, undefined],
        [`${url}/page:2:10`, `${url}/page?y`, true, undefined],
      ],
    ]);
  });

  it('looks up files again in a run that continues a journal', async () => {
    const { root } = await aSite();
    const args = ['fetch', '--extract', 'docs', '--journal', 'journal', '--keep-failed', '-q'];
    expect((await runCli(args, { cwd: root })).stdout).toContain('no.png');
    await writeFile(join(root, 'docs', 'no.png'), '');
    const { stdout, stderr } = await runCli(args, { cwd: root });
    expect([stdout.includes('no.png'), stderr]).toEqual([
      false,
      expect.stringContaining('4 succeeded (1 from the journal)'),
    ]);
  });

  it('names the links that were not fetched when the run stops', async () => {
    const { root } = await aSite();
    const args = ['fetch', '--extract', 'docs', '-c', '1', '--fail-fast', '--json', '--retries', '0'];
    const { code, stdout } = await runCli(args, { cwd: root });
    expect([code, places(stdout).length]).toEqual([1, 5]);
  });

  it('shows with --dry-run what would be fetched', async () => {
    const { origin, root } = await aSite();
    const { stdout } = await runCli(['fetch', '--extract', 'docs/b.html', 'docs/a.md', '--dry-run'], {
      cwd: root,
    });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ url, method }) => [url, method])).toEqual([
      ['file:docs/a.md', undefined],
      ['file:docs/no.png', undefined],
      [`${origin.url}/ok`, 'GET'],
      [`${origin.url}/status/404`, 'GET'],
      ['file:docs/b.html', undefined],
    ]);
  });

  it.each([
    [['--extract', '--sitemap', 'a.md'], 'cannot use --sitemap with --extract'],
    [['--extract', '--column', '1', 'a.md'], 'cannot use --column with --extract'],
    [['--extract', '--null', 'a.md'], 'cannot use --null with --extract'],
    [
      ['--extract', '--base-url', 'x.example', 'a.md'],
      'invalid value for --base-url: must start with http:// or https://',
    ],
    [
      ['--extract', '--root-dir', 'missing', '.'],
      'invalid value "missing" for --root-dir: no such directory',
    ],
    [['--base-url', 'https://x.example', 'a.md'], '--base-url needs --extract'],
    [['--root-dir', '.', 'a.md'], '--root-dir needs --extract'],
    [['--extract', 'missing.md'], 'cannot read "missing.md": no such file'],
    [['--extract', '*.none'], 'no file matches "*.none"'],
    [['--extract', '.'], 'no URLs in the input (use --allow-empty to permit this)'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runCli(['fetch', ...flags], { cwd: await tempDir() });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`error: ${message}`)]);
  });

  it.each([
    ['a variable', { FANOUT_EXTRACT: '1', FANOUT_ROOT_DIR: 'docs' }, {}],
    ['the configuration file', {}, { extract: true, rootDir: 'docs' }],
  ])('is set by %s', async (_, env, config) => {
    const root = await tempDir();
    await mkdir(join(root, 'docs'));
    await writeFile(join(root, 'docs', 'a.md'), '[a](/a.md)');
    await writeFile(join(root, 'fanout.config.json'), JSON.stringify(config));
    const { code, stdout } = await runCli(['fetch', 'docs'], { cwd: root, env });
    expect([code, stdout]).toEqual([0, 'OK    -  file:docs/a.md   0ms  0B\n']);
  });
});

describe('fanout extract', () => {
  it('prints the links that can be fetched, and says how many lead to files', async () => {
    const { code, stdout, stderr } = await runCli(['extract', 'guide'], { cwd: DOCUMENTS });
    expect([code, stdout.split('\n').slice(0, 3)]).toEqual([
      0,
      ['https://style.example/a.css', 'https://script.example/a.js', 'https://entity.example/?a=1&b=2'],
    ]);
    expect(stderr).toMatch(/^note: 7 links to files are left out: /);
  });

  it('prints a list that fetch reads', async () => {
    const { origin, root } = await aSite();
    const list = await runCli(['extract', 'docs'], { cwd: root });
    const { stdout } = await runCli(['fetch', '--ordered', '--retries', '0'], { stdin: list.stdout });
    expect(stdout.match(/http\S+/g)).toEqual([`${origin.url}/ok`, `${origin.url}/status/404`]);
  });

  it('prints all links with their places as JSON', async () => {
    const { root, origin } = await aSite();
    const { stdout } = await runCli(['extract', '--json', 'docs/a.md'], { cwd: root });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      { file: 'docs/a.md', line: 3, column: 6, url: `${origin.url}/ok`, text: 'ok' },
      {
        file: 'docs/a.md',
        line: 3,
        column: 19 + origin.url.length,
        url: `${origin.url}/status/404`,
        text: 'gone',
      },
      { file: 'docs/a.md', line: 4, column: 5, url: 'file:docs/b.html', text: 'b' },
      { file: 'docs/a.md', line: 4, column: 19, url: '#a', text: 'top' },
      { file: 'docs/a.md', line: 4, column: 24, url: 'mailto:m@x.example' },
    ]);
  });

  it('reads standard input, and resolves links against --base-url', async () => {
    const args = ['extract', '--base-url', 'https://x.example/d/'];
    const { stdout } = await runCli(args, { stdin: '<html><a href="a">a</a>' });
    expect(stdout).toBe('https://x.example/d/a\n');
  });

  it('prints no passwords', async () => {
    const stdin = '# A\n\n[a](https://user:s3cret@x.example/) [https://user:s3cret@y.example/](mailto:a)\n';
    const { stdout } = await runCli(['extract', '--json'], { stdin });
    expect(stdout).not.toContain('s3cret');
  });

  it.each([
    [['https://x.example/'], 'cannot fetch a document: use "fanout fetch --extract URL"'],
    [['missing.md'], 'cannot read "missing.md": no such file'],
    [['a.md', '-o', 'a.md'], 'a.md'],
    [['--root-dir', 'x', 'a.md'], 'no such directory'],
  ])('refuses %j', async (args, message) => {
    const cwd = await tempDir();
    await writeFile(join(cwd, 'a.md'), '[a](https://x.example/)');
    const { code, stdout, stderr } = await runCli(['extract', ...args], { cwd });
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
  });
});
