import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fanout } from '../../src/index.ts';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { runInProcess } from './run-in-process.ts';

/** An origin that sets a cookie and redirects, until the cookie comes back; and one that `/away` redirects to. */
async function aSite() {
  const requests: string[] = [];
  const other = await listen(
    createServer((request, response) => {
      requests.push(`other ${request.headers.cookie}`);
      response.end();
    }),
  );
  onTestFinished(() => other.close());
  const server = createServer(({ url = '', headers: { cookie = '' } }, response) => {
    requests.push(`${url} ${cookie}`);
    if (url === '/away')
      response.writeHead(302, { 'set-cookie': 'secret=1', location: `http://${other.authority}/` });
    else if (url === '/set') response.writeHead(200, { 'set-cookie': 'secret=2; Max-Age=1000; HttpOnly' });
    else if (!cookie.includes('secret='))
      response.writeHead(302, { 'set-cookie': 'secret=1', location: url });
    response.end();
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  // `other` is another host: cookies do not tell ports apart.
  return { url: `http://localhost:${listening.port}`, requests };
}

describe('cookies within a redirect chain', () => {
  it.each([
    ['one thread', []],
    ['several threads', ['--threads', '2']],
  ])('are sent along it, never to another host, and not to the next URL, with %s', async (_, flags) => {
    const site = await aSite();
    const args = ['fetch', '-c', '1', ...flags, `${site.url}/a`, `${site.url}/b`, `${site.url}/away`];
    const { code, stdout, stderr } = flags.length > 0 ? await runCli(args) : await runInProcess(args);
    expect([code, site.requests.toSorted()]).toEqual([
      0,
      ['/a ', '/a secret=1', '/away ', '/b ', '/b secret=1', 'other undefined'],
    ]);
    expect(stdout + stderr).not.toContain('secret');
  });

  it('come after those of the user, which stay at their origin', async () => {
    const site = await aSite();
    const flags = ['-c', '1', '-H', 'Cookie: mine=1'];
    expect((await runInProcess(['fetch', ...flags, `${site.url}/a`, `${site.url}/away`])).code).toBe(0);
    expect(site.requests).toEqual(['/a mine=1', '/a mine=1; secret=1', '/away mine=1', 'other undefined']);
  });

  it.each([
    ['--no-cookies', ['--no-cookies'], {}],
    ['the environment', [], { FANOUT_COOKIES: 'false' }],
  ])('are not sent with %s', async (_, flags, env) => {
    const site = await aSite();
    const { code, stdout } = await runInProcess(['fetch', ...flags, `${site.url}/a`], { env });
    expect([code, stdout]).toEqual([1, expect.stringContaining('more than 10 redirects')]);
  });

  it('are sent by the library too', async () => {
    const site = await aSite();
    const results = async (cookies?: false) => {
      const statuses: (number | undefined)[] = [];
      for await (const { status } of fanout([`${site.url}/a`], { cookies })) statuses.push(status);
      return statuses;
    };
    expect([await results(), await results(false)]).toEqual([[200], [302]]);
  });
});

describe('--cookies', () => {
  it('keeps cookies for the run, and for the next one', async () => {
    const site = await aSite();
    const path = join(await tempDir(), 'cookies.txt');
    const run = (...paths: string[]) => {
      site.requests.length = 0;
      const urls = paths.map((one) => site.url + one);
      return runInProcess(['fetch', '-c', '1', '--cookies', path, '-vv', '--json', ...urls]);
    };
    const first = await run('/set', '/a', '/away');
    expect([first.code, site.requests]).toEqual([
      0,
      ['/set ', '/a secret=2', '/away secret=2', 'other undefined'],
    ]);
    expect(first.stdout + first.stderr).not.toContain('secret');
    expect(await readFile(path, 'utf8')).toContain('\tsecret\t1\n');
    expect([(await run('/b')).code, site.requests]).toEqual([0, ['/b secret=1']]);
  });

  it('is a file of the library, and of --body', async () => {
    const site = await aSite();
    const path = join(await tempDir(), 'cookies.txt');
    for await (const { ok } of fanout([`${site.url}/set`], { cookies: path })) expect(ok).toBe(true);
    expect(await readFile(path, 'utf8')).toContain('\tsecret\t2\n');
    expect((await runInProcess(['fetch', '--body', '--cookies', path, `${site.url}/a`])).code).toBe(0);
    expect(site.requests).toEqual(['/set ', '/a secret=2']);
  });

  it('is refused as another output', async () => {
    const path = join(await tempDir(), 'x');
    const { stderr } = await runInProcess(['fetch', '--cookies', path, '-o', path, 'http://127.0.0.1:9/']);
    expect(stderr).toContain('--cookies');
  });

  it('is shared by all threads', async () => {
    const site = await aSite();
    const path = join(await tempDir(), 'x');
    const args = ['fetch', '-c', '1', '--threads', '2', '--cookies', path];
    expect((await runCli([...args, `${site.url}/set`, `${site.url}/a`])).code).toBe(0);
    expect(site.requests).toEqual(['/set ', '/a secret=2']);
    expect(await readFile(path, 'utf8')).toContain('\tsecret\t2\n');
  });
});
