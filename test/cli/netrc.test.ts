import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fanout } from '../../src/index.ts';
import { listen } from '../origin/listen.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const basic = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;

/** Two hosts, `127.0.0.1` and `localhost`, which record the credentials that they get. `/to?URL` redirects. */
async function aSite() {
  const requests: (string | undefined)[] = [];
  const server = createServer(({ url = '', headers: { host = '', authorization } }, response) => {
    requests.push(`${host.split(':')[0]}${url.split('?')[0]} ${authorization}`);
    if (url.startsWith('/to?')) response.writeHead(302, { location: url.slice(4) });
    response.end();
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  const { port } = listening;
  return { ip: `http://127.0.0.1:${port}`, name: `http://localhost:${port}`, requests, port };
}

const NETRC = [
  '# logins',
  'macdef init',
  'machine wrong login wrong',
  '',
  'machine LOCALHOST login me # a comment',
  '  password "s3c \\"ret"',
  'machine localhost login second password second',
  'default login anyone password x',
];
const LOGIN = basic('me:s3c "ret');

describe('--netrc', () => {
  it('sends the login of a host to it only, also after a redirect', async () => {
    const site = await aSite();
    const file = await aFile(NETRC, '.netrc');
    const list = [
      `${site.name}/a`,
      `${site.ip}/b`,
      `${site.ip}/to?${site.name}/c`,
      `${site.name}/to?${site.ip}/d`,
    ];
    const args = ['fetch', '-c', '1', '-vv', '--json', `--netrc=${file}`, ...list];
    const { code, stdout, stderr } = await runInProcess(args);
    expect([code, site.requests.toSorted()]).toEqual([
      0,
      [
        '127.0.0.1/b undefined',
        '127.0.0.1/d undefined',
        '127.0.0.1/to undefined',
        `localhost/a ${LOGIN}`,
        `localhost/c ${LOGIN}`,
        `localhost/to ${LOGIN}`,
      ],
    ]);
    expect(stdout + stderr).not.toMatch(/s3c|czNj|Basic/);
  });

  it('reads the file of the home directory, or that of NETRC', async () => {
    const site = await aSite();
    const file = await aFile(NETRC, '.netrc');
    const run = (env: Readonly<Record<string, string>>) =>
      runInProcess(['fetch', '--netrc', `${site.name}/a`], { env });
    expect((await run({ HOME: dirname(file) })).code).toBe(0);
    expect((await run({ HOME: '/nowhere', NETRC: file })).code).toBe(0);
    expect((await run({ HOME: '/nowhere', NETRC: file, FANOUT_NETRC: 'false' })).code).toBe(0);
    expect(site.requests).toEqual(Array(3).fill(`localhost/a ${LOGIN}`));
    const missing = await run({ HOME: '/nowhere' });
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringContaining('cannot read "/nowhere/.netrc" for --netrc: no such file'),
    ]);
  });

  it.each([
    ['-u', ['-u', 'a:b'], basic('a:b'), ''],
    ['an Authorization header', ['-H', 'Authorization: mine'], 'mine', ''],
    ['--header-for', ['--header-for', 'localhost Authorization: mine'], 'mine', ''],
    ['credentials in a URL', [], basic('c:d'), 'c:d@'],
  ])('gives way to %s', async (_, flags, authorization, user) => {
    const site = await aSite();
    const file = await aFile(NETRC, '.netrc');
    const url = `http://${user}localhost:${site.port}/a`;
    expect((await runInProcess(['fetch', `--netrc=${file}`, ...flags, url])).code).toBe(0);
    expect(site.requests).toEqual([`localhost/a ${authorization}`]);
  });

  it('is text in the library', async () => {
    const site = await aSite();
    for await (const { ok } of fanout([`${site.name}/a`], { netrc: NETRC.join('\n') })) expect(ok).toBe(true);
    expect(site.requests).toEqual([`localhost/a ${LOGIN}`]);
  });

  it('refuses another file without showing it', async () => {
    const file = await aFile(['machine a login b', 'passwd s3cret'], '.netrc');
    const { code, stderr } = await runInProcess(['fetch', `--netrc=${file}`, 'http://127.0.0.1:9/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('invalid netrc file: line 2 has a word')]);
    expect(stderr).not.toContain('s3cret');
  });
});
