import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fanout } from '../../src/index.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const records = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

async function fetchWith(remap: readonly string[], args: readonly string[]) {
  const flags = remap.flatMap((rule) => ['--remap', rule]);
  const result = await runInProcess(['fetch', '--json', '--ordered', '--retries', '0', ...flags, ...args]);
  return { ...result, records: records(result.stdout) };
}

describe('--remap', () => {
  it.each([[[]], [['--threads', '2']]])(
    'fetches another URL; the record has that as url, and that of the list as input, with %j',
    async (more) => {
      const origin = await anOrigin();
      const rule = `https://a\\.test/(.*) ${origin.url}/$1`;
      const list = ['https://a.test/ok?x#y', 'HTTPS://A.test/status/404', `${origin.url}/ok`];
      const args = ['fetch', '--json', '--ordered', '--remap', rule, ...more, ...list];
      const { code, stdout } = await (more.length === 0 ? runInProcess(args) : runCli(args));
      expect(code).toBe(1);
      expect(records(stdout).map(({ input, url, ok }) => [input, url, ok])).toEqual([
        ['https://a.test/ok?x#y', `${origin.url}/ok?x#y`, true],
        ['https://a.test/status/404', `${origin.url}/status/404`, false],
        [undefined, `${origin.url}/ok`, true],
      ]);
    },
  );

  it('uses the first rule that matches, once', async () => {
    const origin = await anOrigin();
    const rules = [`/one ${origin.url}/two`, `/two ${origin.url}/three`].map(
      (rule) => `https://a\\.test${rule}`,
    );
    const { records: given } = await fetchWith(rules, ['https://a.test/one', 'https://a.test/two']);
    expect(given.map(({ url }) => url)).toEqual([`${origin.url}/two`, `${origin.url}/three`]);
  });

  it('comes before --include, --exclude and --unique, and leaves redirects as they are', async () => {
    const origin = await anOrigin();
    const list = ['https://a.test/ok', 'https://b.test/ok', 'https://c.test/status/500'];
    const { code, stderr } = await fetchWith(
      [`https://[a-z]\\.test ${origin.url}`],
      ['--unique', '--exclude', 'status', '--include', '127', ...list],
    );
    expect([code, origin.requests]).toEqual([0, 1]);
    expect(stderr).toContain('2 skipped');
    const target = `${origin.url}/ok`;
    const redirected = await fetchWith(
      [`^${target}$ http://127.0.0.1:1/`],
      [`${origin.url}/redirect-to?url=${encodeURIComponent(target)}`],
    );
    expect([redirected.code, redirected.records[0].finalUrl]).toEqual([0, target]);
  });

  it('may add a user and a password to a URL that stays the same', async () => {
    const origin = await anOrigin();
    const rule = `^${origin.url} ${origin.url.replace('//', '//me:s3cret@')}`;
    const { records } = await fetchWith([rule], [`${origin.url}/ok`]);
    expect([records[0].url, records[0].input]).toEqual([`${origin.url}/ok`, undefined]);
    expect(origin.log[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:s3cret').toString('base64')}`);
  });

  it('may lead to a URL with a password, which no output shows', async () => {
    const origin = await anOrigin();
    const to = origin.url.replace('//', '//me:s3cret@');
    const rule = `https://a\\.test ${to}`;
    const result = await fetchWith([rule], ['-vv', 'https://a.test/ok']);
    expect(result.records[0].url).toBe(`${origin.url}/ok`);
    expect(origin.log[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:s3cret').toString('base64')}`);
    const shown = await runInProcess(['fetch', '--print-config', '--remap', rule]);
    expect(JSON.parse(shown.stdout).remap).toEqual([
      `https:\\/\\/a\\.test ${to.replace('me:s3cret', '***')}`,
    ]);
    const dry = await runInProcess(['fetch', '--dry-run', '--remap', rule, 'https://a.test/ok']);
    expect(JSON.parse(dry.stdout)).toMatchObject({ input: 'https://a.test/ok', url: `${origin.url}/ok` });
    const all = [result, shown, dry].map(({ stdout, stderr }) => stdout + stderr).join('');
    expect(all).not.toContain('s3cret');
  });

  it('to something that is no URL makes a line invalid', async () => {
    const rules = [
      'https://a\\.test/ ftp://b.test/',
      'https://b\\.test/ nothing',
      'https://c\\.test file:///x',
    ];
    const list = ['https://a.test/', 'https://b.test/', 'https://c.test/'];
    const { records: given } = await fetchWith(rules, list);
    expect(given.map(({ input, failure }) => [input, failure.kind, failure.message])).toEqual([
      [
        'https://a.test/',
        'invalid',
        expect.stringMatching(/^remapped to an invalid URL "ftp:.*: the scheme/),
      ],
      ['https://b.test/', 'invalid', expect.stringMatching(/^remapped to an invalid URL "nothing": must/)],
      [
        'https://c.test/',
        'invalid',
        expect.stringMatching(/^remapped to an invalid URL "file:.*: the scheme/),
      ],
    ]);
  });

  it('writes the URLs of the list to --failed, so that they are remapped again', async () => {
    const origin = await anOrigin();
    const failed = join(await tempDir(), 'failed.txt');
    const flags = ['--failed', failed, 'https://a.test/status/404', `${origin.url.toUpperCase()}/status/410`];
    await fetchWith([`https://a\\.test ${origin.url}`], flags);
    expect(await readFile(failed, 'utf8')).toBe(`https://a.test/status/404\n${origin.url}/status/410\n`);
  });

  it('is part of how the journal recognises a URL', async () => {
    const [one, other] = [await anOrigin(), await anOrigin()];
    const journal = ['--journal', join(await tempDir(), 'run.journal'), 'https://a.test/ok'];
    for (const { url } of [one, one, other]) await fetchWith([`https://a\\.test ${url}`], journal);
    expect([one.requests, other.requests]).toEqual([1, 1]);
    const { records: given } = await fetchWith([`https://a\\.test ${one.url}`], journal);
    expect(given.map(({ input, url }) => [input, url])).toEqual([['https://a.test/ok', `${one.url}/ok`]]);
  });

  it('looks up files instead of the URLs in documents', async () => {
    const directory = await tempDir();
    await mkdir(join(directory, 'site'));
    await writeFile(join(directory, 'site/page.html'), '<a id="x">');
    const document = join(directory, 'a.md');
    await writeFile(document, '[a](https://a.test/docs/page#x) [b](https://a.test/docs/gone)');
    const rule = `https://a\\.test/docs/(.*) file://${directory}/site/$1`;
    const { code, records: given } = await fetchWith([rule], ['--extract', document]);
    expect(code).toBe(1);
    expect(given.map(({ input, ok }) => [input, ok])).toEqual([
      ['https://a.test/docs/page#x', true],
      ['https://a.test/docs/gone', false],
    ]);
    expect(given[0].url).toMatch(/^file:.*site\/page#x$/);
    expect(given[1].failure.message).toContain('no such file');
    const text = '[a](https://a.test/docs/page#x) [b](https://a.test/docs/page#y)';
    const checked = await fetchWith([rule], ['--extract', '--check-fragments', await aFile([text], 'b.md')]);
    expect(checked.records.map(({ ok }) => ok)).toEqual([true, false]);
  });

  it('is an option of the environment, the file and the library', async () => {
    const origin = await anOrigin();
    const rule = `https://a\\.test ${origin.url}`;
    const env = { FANOUT_REMAP: `x y\n${rule}` };
    expect((await runInProcess(['fetch', 'https://a.test/ok'], { env })).code).toBe(0);
    const file = await aFile([JSON.stringify({ remap: { 'https://a\\.test': origin.url } })], 'c.json');
    expect((await runInProcess(['fetch', '--config', file, 'https://a.test/ok'])).code).toBe(0);
    for await (const { ok, input, url } of fanout(['https://a.test/ok'], { remap: rule }))
      expect([ok, input, url]).toEqual([true, 'https://a.test/ok', `${origin.url}/ok`]);
    expect(() => fanout([], { remap: 'a $1' })).toThrow('must have a group for $1 in FROM');
  });

  it('is refused if it is no rule', async () => {
    const { code, stderr } = await fetchWith(['https://a.test/'], ['https://a.test/']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        'error: invalid value "https://a.test/" for --remap: must look like \'FROM TO\'',
      ),
    ]);
  });
});
