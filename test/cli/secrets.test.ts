import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { running } from '../http/client.ts';
import { type RawServer, startRawServer } from '../origin/raw-server.ts';
import { type CliOptions, runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { startSelfSigned } from '../origin/tls.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { revealed } from './revealed.ts';
import { runInProcess } from './run-in-process.ts';

/** Every secret of these tests begins with this mark, followed by the place where it is given. */
const MARK = 'Mark1ng';
const ENV = {
  ENV_HEADER: `${MARK}-env-header`,
  ENV_HOST_HEADER: `${MARK}-env-host-header`,
  ENV_USER: `${MARK}-env-user`,
  ENV_FILE: `${MARK}-env-file`,
  GITHUB_ACTIONS: 'true',
  GITHUB_STEP_SUMMARY: 'summary.md',
};
const FLAGS = [
  ...['-u', `me:${MARK}-user-$ENV_USER`],
  ...['-H', `Cookie: sid=${MARK}-cookie`],
  ...['-H', `Proxy-Authorization: ${MARK}-proxy-authorization`],
  ...['-H', 'X-Session: $ENV_HEADER'],
  ...['--header-for', `127.0.0.1 X-Api-Key: ${MARK}-host-header`],
  ...['--header-for', '127.0.0.1 Accept-Language: $ENV_HOST_HEADER'],
];
const CONFIG_NAME = 'fanout.config.json';
const CONFIG = {
  proxy: '',
  data: `pin=${MARK}-data-$ENV_FILE`,
  method: 'GET',
};

let cwd = '';

async function folder(): Promise<string> {
  const path = await tempDir();
  await writeFile(join(path, CONFIG_NAME), JSON.stringify(CONFIG));
  return path;
}

function redirecting(location: string): Promise<RawServer> {
  const head = `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;
  return startRawServer({ onRequest: ({ socket }) => void socket.end(head) });
}

/** A list with a secret in every part of a line, whose URLs end in every possible way. */
async function secretLines(): Promise<readonly string[]> {
  const [a, b] = [await anOrigin(), await anOrigin({ host: '127.0.0.2' })];
  const selfSigned = await running(startSelfSigned());
  const elsewhere = await running(redirecting(`http://you:${MARK}-away@${b.host}:${b.port}/status/404`));
  const nowhere = await running(redirecting(`http://you:${MARK}-location@a b/`));
  const garbage = await running(
    startRawServer({ onRequest: ({ socket }) => void socket.end('SSH-2.0-x\r\n') }),
  );
  const mute = await running(startRawServer({ onRequest: () => {} }));
  const login = (url: string, place: string) => url.replace('//', `//${MARK}-name:${MARK}-${place}@`);
  const job = (url: string, more: object = {}) =>
    JSON.stringify({
      url,
      headers: { Authorization: `${MARK}-job-auth`, 'X-Job': `${MARK}-job-header` },
      body: `${MARK}-job-body`,
      ...more,
    });
  return [
    login(`${a.url}/ok`, 'ok'),
    login(`${b.url}/status/404`, 'status'),
    login(`${b.url}/status/404`, 'pl%61in%2d'),
    login(elsewhere.url, 'redirect'),
    login(nowhere.url, 'location'),
    login(garbage.url, 'protocol'),
    login(mute.url, 'timeout'),
    login(selfSigned.url, 'certificate'),
    login(a.url.replace('http:', 'https:'), 'tls'),
    login('http://127.0.0.1:9/', 'refused'),
    job(login(`${a.url}/ok`, 'job')),
    job(`${b.url}/status/404`, { method: 'POST', id: 'job' }),
    job(elsewhere.url),
    job(login('http://127.0.0.1:9/', 'job-refused')),
    job(`${a.url}/ok`, { nope: 1 }),
    job(`${a.url}/ok`, { headers: { 'X-Job': `${MARK}-job-break\n` } }),
    job(`${a.url}/ok`, { headers: { 'X-Job': [`${MARK}-job-list`] } }),
    job('http://host:99999/'),
    job(`${a.url}/ok`).slice(0, -1),
    login('http://host:99999/', 'port'),
    login('http://ho st/', 'space'),
    login('ftp://host/', 'scheme'),
    `me:${MARK}-no-scheme@host/`,
  ];
}

/** Every flag that makes the program write a file. */
const FILES = [
  ...['--failed', 'failed.txt'],
  ...['--baseline', 'baseline.jsonl', '--update-baseline'],
  ...['--flaky-after', '1', '--flaky-state', 'state.json'],
  ...['junit', 'json', 'markdown', 'html'].flatMap((kind) => ['--report', `${kind}=report.${kind}`]),
];

/** Runs the program with all of the secrets. Resolves to everything that it wrote to streams and files. */
async function written(args: readonly string[], options: CliOptions = {}) {
  const all = ['fetch', ...FLAGS, ...FILES, '--retries', '0', '--timeout', '500ms', ...args];
  await writeFile(join(cwd, 'baseline.jsonl'), '');
  const { code, stdout, stderr } = await runCli(all, { cwd, env: ENV, ...options });
  const names = (await readdir(cwd)).filter((name) => name !== CONFIG_NAME);
  const files = await Promise.all(names.map((name) => readFile(join(cwd, name), 'utf8')));
  return { code, stdout, stderr, files: new Map(names.map((name, index) => [name, files[index] ?? ''])) };
}

/** Returns the pieces of a run's output that show a secret. Only the list of `--failed` may have the body of a job, to send it again. */
function leaks({ stdout, stderr, files }: Awaited<ReturnType<typeof written>>): readonly string[] {
  const shown = new Map(files);
  shown.set('failed.txt', (files.get('failed.txt') ?? '').replaceAll(`"body":"${MARK}-job-body"`, ''));
  return [stdout, stderr, ...shown.values()].flatMap((text) => revealed(text, MARK));
}

describe('revealed()', () => {
  const secret = `${MARK}-x`;

  it.each([
    ['as it is', secret],
    ['in other case', secret.toUpperCase()],
    ['encoded for a URL', `a=%4d%61${secret.slice(2)}`],
    ['in credentials', Buffer.from(`me:${secret}`).toString('base64')],
    ['in base64 at any offset', Buffer.from(`m:${secret}`).toString('base64url')],
    ['in JSON', JSON.stringify({ a: `\u0001${secret}` })],
  ])('finds a mark %s', (_, text) => {
    expect(revealed(`before ${text} after`, MARK)).not.toEqual([]);
  });

  it('finds none where there is none', () => {
    expect(revealed(`FAIL 404 http://host/ ${Buffer.from('nothing').toString('base64')} %zz`, MARK)).toEqual(
      [],
    );
  });
});

describe('no secret is written', () => {
  it.each([
    ['text', ['--format', 'text']],
    ['JSON Lines', ['--format', 'jsonl', '--summary', 'json']],
    ['CSV', ['--format', 'csv']],
    ['text, when every address is refused', ['--deny-private']],
    ['text in colour, in the order of the list', ['--color', 'always', '--ordered']],
  ])('as %s', async (_, flags) => {
    cwd = await folder();
    const lines = await secretLines();
    const run = await written(flags, { stdin: lines.join('\n') });
    expect([run.code, [...run.files.keys()].sort()]).toEqual([
      1,
      [
        ...['baseline.jsonl', 'failed.txt', 'report.html', 'report.json', 'report.junit', 'report.markdown'],
        ...['state.json', 'summary.md'],
      ],
    ]);
    for (const text of [run.stdout, ...run.files.values()])
      expect(text.split('\n').length).toBeGreaterThan(15);
    expect(leaks(run)).toEqual([]);
  });

  it('by --print-config, which shows only that secrets are set', async () => {
    cwd = await folder();
    const run = await written(['--print-config']);
    expect([run.code, JSON.parse(run.stdout)]).toMatchObject([
      0,
      {
        user: '***:***',
        header: ['cookie: ***', 'proxy-authorization: ***', 'x-session: ***'],
        headerFor: ['127.0.0.1 x-api-key: ***', '127.0.0.1 accept-language: ***'],
      },
    ]);
    expect(leaks(run)).toEqual([]);
  });

  it('by --dry-run, which shows the names of the headers of each job', async () => {
    cwd = await folder();
    const lines = await secretLines();
    const run = await written(['--dry-run'], { stdin: lines.join('\n') });
    const jobs = run.stdout.trimEnd().split('\n');
    expect([run.code, jobs.length]).toEqual([1, lines.length]);
    expect(JSON.parse(jobs[0] ?? '').headers).toEqual(
      expect.arrayContaining(['authorization: ***', 'cookie: ***', 'x-api-key: ***', 'accept-language: ***']),
    );
    expect(leaks(run)).toEqual([]);
  });

  it.each<[string, readonly string[], Readonly<Record<string, string>>?, unknown?]>([
    ['credentials without a colon', ['-u', MARK]],
    ['credentials with a line break', ['-u', `me:${MARK}\n`]],
    ['credentials beside a variable that is missing', ['-u', `${MARK}:$MISSING`]],
    ['credentials in a variable', ['-u', '$SECRET'], { SECRET: MARK }],
    ['credentials in the environment', [], { FANOUT_USER: MARK }],
    ['credentials in the file', [], {}, { user: MARK }],
    ['a header without a colon', ['-H', `Authorization ${MARK}`]],
    ['a header that is only a value', ['-H', MARK]],
    ['a header that cannot be sent', ['-H', 'X-Key: $SECRET'], { SECRET: `${MARK}€` }],
    ['a header in the environment', [], { FANOUT_HEADER: `X-Key ${MARK}` }],
    ['a header in the file', [], {}, { header: { 'x-key': [MARK] } }],
    ['a header for no host', ['--header-for', `X-Key: ${MARK}`]],
    ['a header for a URL', ['--header-for', `http://me:${MARK}@a.test X-Key: 1`]],
    ['a header for a host without a colon', ['--header-for', `a.test X-Key ${MARK}`]],
    ['a header for a host with a line break', ['--header-for', `a.test X-Key: ${MARK}\n${MARK}`]],
    ['a header for a host in the file', [], {}, { headerFor: { 'a b': { 'x-key': MARK } } }],
    ['a body beside --head', ['-I', '-d', MARK]],
    ['a body in the file', [], {}, { data: [MARK] }],
    ['a proxy', ['--proxy', `nope://me:${MARK}@host`]],
    ['a flag that is mistyped', [`--headr=X-Key: ${MARK}`]],
    ['a letter that is mistyped', [`-Ume:${MARK}`]],
    ['a file that is no JSON', [], {}, `{"user": "me:${MARK}"`],
    ['a key of the file that is unknown', [], {}, { usr: `me:${MARK}` }],
    ['a URL with an unknown scheme', [`ftp://me:${MARK}@host/`]],
    ['a URL without a colon', [`http//me:${MARK}@host/`]],
    ['a URL without a scheme', [`me:${MARK}@host/`]],
    ['a URL without slashes', [`http:me:${MARK}@host/`]],
    ['a job that is an argument', [`{"url":"http://me:${MARK}`]],
    ['a header that is an argument', [`Authorization: Bearer ${MARK}`]],
    ['a password with a dollar sign', ['-u', `me:pa$${MARK}`]],
    ['a password that starts with a dollar sign', ['-u', `me:$${MARK}`]],
    ['a header with a dollar sign', ['-H', `Authorization: Bearer ab$${MARK}`]],
    ['a dollar sign in the file', [], {}, { proxy: `http://me:$${MARK}@host` }],
    ...[
      ...['--resolve', '--dns-server', '--cacert', '--cert', '--accept', '--rate', '--timeout', '--format'],
      ...['--report', '--default-scheme', '--method', '--save-as', '--record', '--threads'],
    ].map((flag): [string, string[]] => [`a URL for ${flag}`, [flag, `http://me:${MARK}@host/`]]),
    ['a URL for --baseline', ['--baseline', `http://me:${MARK}@host/`]],
    ['a list in the file', [], {}, { resolve: [`http://me:${MARK}@host/`] }],
    ['an unknown key in the file', [], {}, { [`http://me:${MARK}@host/`]: 1 }],
  ])('in the message about %s', async (_, args, env = {}, config) => {
    const text = typeof config === 'string' ? config : JSON.stringify(config ?? {});
    const flags = ['--config', await aFile([text], CONFIG_NAME), ...args];
    const { code, stdout, stderr } = await runInProcess(['fetch', ...flags, 'http://127.0.0.1:9/'], { env });
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(/^error: /)]);
    expect(revealed(stderr, MARK)).toEqual([]);
  });

  it.each([
    ['-o', 'none/', 3],
    ['--failed', 'none/', 3],
    ['--journal', 'none/', 3],
    ['--report', 'json=none/', 3],
    ['--save-dir', '/proc/none/', 3],
  ])('in the message about a file of %s that cannot be written', async (flag, start, code) => {
    const value = `${start}http://me:${MARK}@host/x`;
    const run = await runInProcess(['fetch', flag, value, 'http://127.0.0.1:9/']);
    expect([run.code, run.stderr]).toEqual([code, expect.stringContaining('http://***@host/x')]);
    expect(revealed(run.stderr, MARK)).toEqual([]);
  });

  it.each([
    [['report', `http://me:${MARK}@host/`]],
    [['diff', `http://me:${MARK}@host/`, 'b']],
    [['completion', `http://me:${MARK}@host/`]],
    [['help', `http://me:${MARK}@host/`]],
    [['cluster', `http://me:${MARK}@host/`]],
    [['cluster', 'dead', `http://me:${MARK}@host/`, '--broker', 'nats://127.0.0.1:9', '--run', 'x']],
    [['cluster', 'work', '--broker', `http://me:${MARK}@host/`, '--run', 'x']],
    [['cluster', 'work', '--broker', 'nats://127.0.0.1:9', '--run', `http://me:${MARK}@host/`]],
  ])('in the message about %j', async (args) => {
    const { code, stdout, stderr } = await runInProcess(args);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(/^error: /)]);
    expect(revealed(stderr, MARK)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('in the list of processes', async () => {
    const flags = [...FLAGS, '--proxy', `http://me:${MARK}@127.0.0.1:9`, '-d', MARK];
    const run = startCli(['fetch', ...flags, '-'], { stdin: 'open', env: ENV, cwd: await tempDir() });
    run.child.stdin?.write('nothing\n');
    await run.stdout.sees('FAIL');
    const shown = await readFile(`/proc/${run.child.pid}/cmdline`, 'latin1');
    expect(shown.replace(/\0+$/, '')).toBe('fanout fetch');
    run.child.stdin?.end();
    await run.done;
  });

  it('in the message about a URL given as the command', async () => {
    const { code, stderr } = await runInProcess([`http://me:${MARK}@host/`]);
    expect([code, revealed(stderr, MARK)]).toEqual([2, []]);
  });
});
