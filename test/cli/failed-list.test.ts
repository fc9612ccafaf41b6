import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** Runs a list of jobs that all fail. Resolves to the list of `--failed`, and to standard error. */
async function failedOf(jobs: readonly object[], flags: readonly string[] = []) {
  const failed = join(await tempDir(), 'again.txt');
  const list = await aFile(jobs.map((job) => JSON.stringify(job)));
  const args = ['fetch', '--accept', '599', '--retries', '0', '--failed', failed, ...flags, list];
  const { code, stderr } = await (flags.includes('--threads') ? runCli(args) : runInProcess(args));
  expect(code).toBe(1);
  return { failed, stderr, text: await readFile(failed, 'utf8') };
}

test.each([[[]], [['--threads', '2']], [['--ordered']]])(
  'a list of --failed repeats the requests of the failed jobs, with %j',
  async (flags) => {
    const { url } = await anOrigin();
    const { failed } = await failedOf(
      [
        { url: `${url}/echo?1`, method: 'PUT', headers: { 'Content-Type': 'a/b' }, body: 'one\n"1"' },
        { url: `${url}/echo?2`, body: 'two', id: 'mine' },
      ],
      flags,
    );
    const again = await runInProcess(['fetch', '--inline-body', '--json', '--ordered', failed]);
    const records = again.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const seen = records.map(({ id, body }) => {
      const { method, url: path, headers, body: sent } = JSON.parse(body.text);
      return [path, method, sent, id, headers['content-type']];
    });
    expect(seen.sort()).toEqual([
      ['/echo?1', 'PUT', 'one\n"1"', undefined, 'a/b'],
      ['/echo?2', 'POST', 'two', 'mine', undefined],
    ]);
  },
);

test('a list of --failed keeps "expect" and "save" of its jobs', async () => {
  const { url } = await anOrigin();
  const expectation = {
    status: '200-201,404',
    contains: ['a'],
    matches: ['b+'],
    header: 'x-a: 1',
    time: '2s',
  };
  const { failed, text } = await failedOf([{ url: `${url}/ok`, expect: expectation, save: 'a/b.txt' }]);
  expect(JSON.parse(text)).toMatchObject({
    ...{ save: 'a/b.txt', expect: { contains: ['a'], matches: ['b+'], time: '2s' } },
  });
  const again = await runInProcess(['fetch', failed]);
  expect(again.stdout).toContain('the response has no header x-a');
});

test.each<[string, object, object]>([
  ['json', { json: { a: [1, 'b'], 2: null } }, { json: { a: [1, 'b'], 2: null } }],
  ['json and a header', { json: 1, headers: { Accept: 'a/b' } }, { headers: { accept: 'a/b' }, json: 1 }],
  [
    'json of another type',
    { json: 1, headers: { 'Content-Type': 'a/b' } },
    { headers: { 'content-type': 'a/b' }, body: '1' },
  ],
  ['a body', { body: '{"a":1}' }, { body: '{"a":1}' }],
  [
    'a body that JSON.stringify() would write otherwise',
    { body: '{ "a": 1 }', headers: { 'Content-Type': 'application/json' } },
    { headers: { 'content-type': 'application/json' }, body: '{ "a": 1 }' },
  ],
])('a list of --failed keeps %s as it was', async (_, request, kept) => {
  const { url } = await anOrigin();
  const job = { url: `${url}/status/500`, ...request };
  const { text } = await failedOf([job], ['--retries', '0']);
  expect(JSON.parse(text)).toEqual({ url: `${url}/status/500`, method: 'POST', ...kept });
});

test('headers that may be secret are left out of a list of --failed, with a warning', async () => {
  const { url } = await anOrigin();
  const jobs = [
    { url: `${url}/ok?1`, headers: { 'X-Key': 'secret', Accept: 'a/b' } },
    { url: `${url.replace('//', '//me:secret@')}/ok?2` },
  ];
  const { failed, text, stderr } = await failedOf(jobs);
  expect(text.trimEnd().split('\n').sort()).toEqual([
    `${url}/ok?2`,
    JSON.stringify({ url: `${url}/ok?1`, headers: { accept: 'a/b' } }),
  ]);
  expect(stderr).toContain(
    `warning: ${JSON.stringify(failed)} does not contain headers that may be secret; pass them again with -H: authorization, x-key\n`,
  );
  expect((await failedOf(jobs, ['--silent'])).stderr).toBe('');
});

test('headers of OK jobs cause no warning', async () => {
  const { url } = await anOrigin();
  const list = await aFile([JSON.stringify({ url: `${url}/ok`, headers: { 'X-Key': 'secret' } })]);
  const { code, stderr } = await runInProcess([
    'fetch',
    '--failed',
    join(await tempDir(), 'again.txt'),
    list,
  ]);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('lacks')]);
});

const OK = 'http://127.0.0.1:1/';

test.each<[string, string, string]>([
  ['a bad method', `{"url":"${OK}","method":"A B","body":"x","id":"1"}`, ''],
  ['a misspelt key, without its value', `{"url":"${OK}","metod":"PUT"}`, `{"url":"${OK}","metod":null}`],
  ['another scheme', '{"url":"ftp://h/","method":"POST","json":{"n":12345678901234567890}}', ''],
  ['a key that is given twice', `{"url":"${OK}","url":"${OK}"}`, ''],
  [
    'secret headers, without their values',
    `{"url":"${OK}","save":"../x","headers":{"X-Key":"secret","Accept":"a/b"}}`,
    `{"url":"${OK}","save":"../x","headers":{"X-Key":null,"Accept":"a/b"}}`,
  ],
  [
    'a password, without it',
    '{"url":"http://me:secret@127.0.0.1:1/","method":"A B"}',
    `{"url":"${OK}","method":"A B"}`,
  ],
  ['a URL of a wrong type', '{"url":3,"id":"a"}', ''],
  ['headers of a wrong type', `{"url":"${OK}","headers":"X-Key: secret"}`, `{"url":"${OK}","headers":null}`],
])('a list of --failed keeps an invalid job with %s', async (_, job, kept) => {
  const failed = join(await tempDir(), 'again.txt');
  const first = await runInProcess(['fetch', '--failed', failed, await aFile([job])]);
  const text = await readFile(failed, 'utf8');
  expect([first.code, text]).toEqual([1, `${kept || job}\n`]);
  // It never becomes another request.
  const again = await runInProcess(['fetch', failed, '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ attempts: 0, failure: { kind: 'invalid' } });
});
