import { expect, it } from 'vitest';
import { running } from '../http/client.ts';
import type { Origin } from '../origin/origin.ts';
import { runCli } from '../origin/run-cli.ts';
import { caPem, startHttps } from '../origin/tls.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const OF_INTEREST = ['authorization', 'cookie', 'x-a', 'x-b', 'x-job', 'x-all'];

/** The headers under test of each request, by path and query. */
function received(origin: Origin): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    origin.log.map(({ path, headers }) => [
      path.replace(/\?.*/, ''),
      Object.fromEntries(OF_INTEREST.flatMap((name) => (name in headers ? [[name, headers[name]]] : []))),
    ]),
  );
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const MINE = basic('mé:p:w');
const OWN = basic('you:own');

it('each header reaches the host that it is for, and no other', async () => {
  const a = await anOrigin();
  const b = await anOrigin({ host: '127.0.0.2' });
  const away = (path: string, to: Origin, target: string) =>
    `${path}?url=${encodeURIComponent(to.url + target)}`;
  const withUser = (origin: Origin) => origin.url.replace('//', '//you:own@');
  const list = await aFile([
    `${a.url}/plain`,
    `${b.url}/plain`,
    `${withUser(a)}/user`,
    `${a.url}${away('/redirect-to/1', b, '/from-a')}`,
    `${withUser(b)}${away('/redirect-to/2', a, '/from-b')}`,
    `${a.url}${away('/redirect-to/3', a, '/within-a')}`,
    JSON.stringify({
      url: `${a.url}${away('/redirect-to/4', b, '/job-from-a')}`,
      headers: { authorization: 'job', cookie: 'job', 'x-a': 'job', 'x-b': 'job', 'x-job': 'job' },
    }),
  ]);
  const config = { headerFor: { '127.0.0.1': { 'X-A': '$A' }, [`127.0.0.2:${b.port}`]: ['X-B: b'] } };
  const file = await aFile([JSON.stringify(config)], 'fanout.config.json');
  const args = ['fetch', '--config', file, '-u', 'mé:$PW', '-H', 'X-All: $ALL', '--accept', '404', list];
  const { code, stderr } = await runInProcess(args, { env: { A: 'a', PW: 'p:w', ALL: 'all' } });
  expect([code, stderr]).toEqual([0, expect.stringContaining('Done: 7 succeeded, 0 failed')]);
  const toA = { authorization: MINE, 'x-a': 'a', 'x-all': 'all' };
  const toB = { authorization: MINE, 'x-b': 'b', 'x-all': 'all' };
  const ofJob = {
    authorization: 'job',
    cookie: 'job',
    'x-a': 'job',
    'x-b': 'job',
    'x-job': 'job',
    'x-all': 'all',
  };
  expect(received(a)).toEqual({
    '/plain': toA,
    '/user': { ...toA, authorization: OWN },
    '/redirect-to/1': toA,
    '/redirect-to/3': toA,
    '/within-a': toA,
    '/from-b': { 'x-a': 'a', 'x-all': 'all' },
    '/redirect-to/4': ofJob,
  });
  expect(received(b)).toEqual({
    '/plain': toB,
    '/from-a': { 'x-b': 'b', 'x-all': 'all' },
    '/redirect-to/2': { ...toB, authorization: OWN },
    '/job-from-a': { 'x-a': 'job', 'x-b': 'b', 'x-job': 'job', 'x-all': 'all' },
  });
});

it('a header for another port of the host is not sent', async () => {
  const origin = await anOrigin();
  await runInProcess([
    'fetch',
    '--header-for',
    `127.0.0.1:${origin.port === 9 ? 10 : 9} X-A: a`,
    `${origin.url}/ok`,
  ]);
  expect(received(origin)).toEqual({ '/ok': {} });
});

it('a redirect from https to http takes no header for one host along', async () => {
  const plain = await anOrigin();
  const secure = await running(startHttps());
  const caFile = await aFile([await caPem()], 'ca.pem');
  const url = `${secure.url}/redirect-to?url=${encodeURIComponent(`${plain.url}/ok`)}`;
  const args = ['fetch', '--header-for', '127.0.0.1 X-A: a', '-H', 'X-All: all', url];
  expect((await runCli(args, { env: { NODE_EXTRA_CA_CERTS: caFile } })).code).toBe(0);
  expect([received(secure), received(plain)]).toEqual([
    { '/redirect-to': { 'x-a': 'a', 'x-all': 'all' } },
    { '/ok': { 'x-all': 'all' } },
  ]);
});

it('an attempt that is repeated carries the same headers', async () => {
  const origin = await anOrigin();
  const args = ['fetch', '-I', '--header-for', '127.0.0.1 X-A: a', '-u', 'me:pw', '--retries', '1'];
  const urls = [`${origin.url}/head-405`, `${origin.url}/flaky/x/1?retry-after=0`];
  expect((await runInProcess([...args, ...urls])).code).toBe(0);
  expect(origin.log.map(({ headers }) => [headers['x-a'], headers.authorization])).toEqual(
    Array(4).fill(['a', basic('me:pw')]),
  );
});

it.each<[string, string, readonly string[], readonly string[]]>([
  ['a host that no URL has', '/ok', ['a.test X: 1', '127.0.0.1 X: 1'], ['a.test']],
  ['a port that no URL has', '/ok', ['127.0.0.1:1 X: 1', '127.0.0.1 Y: 1'], ['127.0.0.1:1']],
  ['not of the target of a redirect', '/redirect-to?url=http%3A%2F%2Flocalhost%2F', ['localhost X: 1'], []],
])('a warning at the end names %s', async (_, path, lines, hosts) => {
  const origin = await anOrigin();
  const flags = lines.flatMap((line) => ['--header-for', line]);
  const { stderr } = await runInProcess(['fetch', '--retries', '0', ...flags, `${origin.url}${path}`]);
  const warnings = hosts.map((host) => `warning: no URL has the host "${host}" of --header-for`);
  expect(stderr.split('\n').filter((line) => line.startsWith('warning'))).toEqual(warnings);
});

it('a run that is cut short gives no such warning', async () => {
  const origin = await anOrigin();
  const flags = ['--header-for', 'a.test X: 1', '--fail-fast', '-c', '1'];
  const list = ['/status/404', '/ok?1', '/ok?2'].map((path) => `${origin.url}${path}`);
  const { stderr } = await runInProcess(['fetch', ...flags, ...list]);
  expect(stderr).not.toContain('--header-for');
});

it('a header for *.DOMAIN goes to every name below the domain', async () => {
  const origin = await anOrigin();
  const url = `http://a.b.test:${origin.port}/ok`;
  const args = ['fetch', '--resolve', `*:${origin.port}:127.0.0.1`, '--header-for', '*.b.test X-A: a'];
  await runInProcess([...args, url]);
  expect(received(origin)).toEqual({ '/ok': { 'x-a': 'a' } });
});
