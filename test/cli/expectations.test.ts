import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

type Responder = (response: ServerResponse, request: IncomingMessage) => void;

/** The URL of an origin that responds to each request with `respond`. */
async function aServer(respond: Responder): Promise<string> {
  const server = createServer((request, response) => respond(response, request));
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return `http://${listening.authority}/`;
}

const PAGE = '<h1>Grüße aus Köln</h1>';

async function aPage(headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return aServer((response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers });
    response.end(PAGE);
  });
}

/** The exit code and the first line of a run over one URL. */
async function run(flags: readonly string[], url: string): Promise<[code: number | null, line: string]> {
  const { code, stdout } = await runInProcess(['fetch', '--retries', '0', ...flags, url]);
  return [code, stdout.split('\n')[0] ?? ''];
}

describe('what counts as OK', () => {
  it.each([
    [['--contains', 'Grüße', '--contains', 'Köln']],
    [['--matches', 'K.ln</h1>$', '--not-contains', 'Error']],
    [['--expect-header', 'Content-Type: text/html', '--expect-header', 'date:']],
    [['--expect-time', '14s']],
  ])('%j is met', async (flags) => {
    expect(await run(flags, await aPage())).toEqual([0, expect.stringMatching(/^OK {4}200 /)]);
  });

  it.each([
    [['--contains', 'Grüsse'], 'the body does not contain "Grüsse"'],
    [['--matches', '^Grüße'], 'the body does not match "^Grüße"'],
    [['--not-contains', 'Köln'], 'the body contains "Köln"'],
    [
      ['--expect-header', 'Content-Type: text/plain'],
      'the header content-type is "text/html; charset=utf-8"',
    ],
    [['--expect-header', 'X-Version:'], 'the response has no header x-version'],
  ])('%j is not met: kind expectation, and no other attempt', async (flags, fault) => {
    const [code, line] = await run(flags, await aPage());
    expect([code, line]).toEqual([1, expect.stringMatching(/^FAIL {2}expectation {2}http/)]);
    expect(line).toContain(fault);
  });

  it.each(['(a+)+$', '^(\\w+\\s?)*$', '^(?:a{1,20})+$', '^(\\w{1,30}\\s?)+$', '^([a-z]{2,40})*$'])(
    '--matches is not slow for a pattern and a body that make others backtrack exponentially: %s',
    async (pattern) => {
      const url = await aServer((response) => response.end(`${'a'.repeat(1000)}!`));
      const { code, stdout } = await runCli(['fetch', '--matches', pattern, url]);
      expect([code, stdout]).toEqual([1, expect.stringContaining('does not match')]);
    },
  );

  it('--expect-time is not met by a late response', async () => {
    const url = await aServer((response) => void setTimeout(() => response.end('late'), 50));
    expect(await run(['--expect-time', '1ms'], url)).toEqual([
      1,
      expect.stringMatching(/^FAIL {2}expectation .*it took \d+ms, more than 1ms/),
    ]);
  });

  it('is checked only if the response has an accepted status', async () => {
    const url = await aServer((response) => response.writeHead(404).end('gone'));
    expect((await run(['--contains', 'x'], url))[1]).toMatch(/^FAIL {2}404 /);
  });

  it('is found in a body that arrives in pieces', async () => {
    const url = await aServer((response) => {
      const bytes = Buffer.from(PAGE);
      const cut = bytes.indexOf(0xc3) + 1; // in the middle of the ü
      response.write(bytes.subarray(0, cut));
      setImmediate(() => response.end(bytes.subarray(cut)));
    });
    expect(await run(['--contains', 'Grüße'], url)).toEqual([0, expect.stringMatching(/^OK/)]);
  });

  it('reports that the body was not read to its end if the text may come later', async () => {
    const url = await aServer((response) => response.end(`${'x'.repeat(5000)}needle`));
    const [code, line] = await run(['--contains', 'needle', '--max-size', '1kb'], url);
    expect([code, line]).toEqual([
      1,
      expect.stringContaining('does not contain "needle" before the cut at --max-size'),
    ]);
  });

  it.each([
    [['--contains', ''], /invalid value "" for --contains/],
    [['--matches', '('], /invalid value "\(" for --matches: must be a JavaScript regular expression/],
    [['--matches', '(?=a)b'], /invalid value .* for --matches: must have no look-around/],
    [['--expect-header', 'x'], /invalid value "x" for --expect-header/],
    [['--blocked', 'maybe'], /invalid value "maybe" for --blocked/],
  ])('%j is wrong usage', async (flags, message) => {
    const { code, stderr } = await runInProcess(['fetch', ...flags, 'http://127.0.0.1/']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('the "expect" of a JSON job', () => {
  async function runJob(expectation: unknown, respond: Responder, flags: readonly string[] = []) {
    const url = await aServer(respond);
    const stdin = JSON.stringify({ url, expect: expectation });
    const { code, stdout } = await runInProcess(['fetch', '--retries', '0', ...flags], { stdin });
    return [code, stdout.split('\n')[0]];
  }

  it('can expect a redirect, which is then not followed', async () => {
    const moved: Responder = (response) => response.writeHead(301, { location: '/elsewhere' }).end();
    expect(await runJob({ status: '301' }, moved)).toEqual([0, expect.stringMatching(/^OK {4}301 /)]);
  });

  it('fails a status that is OK otherwise', async () => {
    expect(await runJob({ status: 404 }, (response) => response.end())).toEqual([
      1,
      expect.stringMatching(/^FAIL {2}expectation .* {2}status 200, expected 404$/),
    ]);
  });

  it('adds to the expectations of the run', async () => {
    const page: Responder = (response) => response.end(PAGE);
    expect((await runJob({ contains: 'Köln' }, page, ['--contains', 'Grüße']))[0]).toBe(0);
    expect(await runJob({ contains: 'Köln' }, page, ['--contains', 'Bonn'])).toEqual([
      1,
      expect.stringContaining('does not contain "Bonn"'),
    ]);
    expect(await runJob({ contains: 'Bonn' }, page)).toEqual([1, expect.stringContaining('"Bonn"')]);
  });

  it('that cannot be read makes the line invalid', async () => {
    expect(await runJob({ contain: 'x' }, (response) => response.end())).toEqual([
      1,
      expect.stringMatching(/^FAIL {2}invalid .*unknown key "contain" in "expect"/),
    ]);
  });
});

describe('a status that is not expected', () => {
  const job = (url: string, status: string) => JSON.stringify({ url, expect: { status } });

  it.each([
    ['200', [], '201', 'FAIL  expectation', 'status 200, expected 201'],
    ['404', [], '200-204,301', 'FAIL  expectation', 'status 404, expected 200-204,301'],
    ['200', ['--accept', '404'], undefined, 'FAIL  200', 'status 200, expected 404'],
    ['204', ['--accept', '404'], '3xx', 'FAIL  expectation', 'status 204, expected 300-399'],
    ['404', [], undefined, 'FAIL  404', 'Not Found'],
  ])('is named with what is expected: %s with %j and %s', async (status, flags, expected, start, reason) => {
    const url = await aServer((response) => response.writeHead(Number(status)).end());
    const input = expected === undefined ? url : await aFile([job(url, expected)], 'jobs.jsonl');
    const [code, line] = await run(flags, input);
    expect([code, line.startsWith(`${start}  http`), line.endsWith(`  ${reason}`)]).toEqual([1, true, true]);
    const csv = await runInProcess(['fetch', '--retries', '0', ...flags, '--format', 'csv', input]);
    expect(csv.stdout).toContain(reason.includes(',') ? `,"${reason}",` : `,${reason},`);
  });
});

describe('a response that blocks bots', () => {
  const challenge: Responder = (response) =>
    response.writeHead(403, { 'cf-mitigated': 'challenge' }).end('Just a moment...');

  it('fails as blocked', async () => {
    expect(await run([], await aServer(challenge))).toEqual([
      1,
      expect.stringMatching(/^FAIL {2}blocked {2}http\S+ .*Cloudflare challenge \(403\)$/),
    ]);
  });

  it('warns with --blocked warn, and does not fail the run', async () => {
    const [code, line] = await run(['--blocked', 'warn'], await aServer(challenge));
    expect([code, line]).toEqual([0, expect.stringMatching(/^WARN {2}403 {2}http.* blocked: /)]);
    const { stdout } = await runInProcess(['fetch', '--json', '--blocked', 'warn', await aServer(challenge)]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, status: 403, warning: { kind: 'blocked' } });
  });

  it('passes with --blocked ok', async () => {
    expect(await run(['--blocked', 'ok'], await aServer(challenge))).toEqual([
      0,
      expect.stringMatching(/^OK {4}403 /),
    ]);
  });

  it('is detected by its first bytes if its status is 200', async () => {
    const url = await aServer((response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html><iframe src="/_Incapsula_Resource?x"></iframe>');
    });
    expect((await run([], url))[1]).toMatch(/^FAIL {2}blocked /);
  });

  it('is a 429 once the retries are used up', async () => {
    let requests = 0;
    const url = await aServer((response) => {
      requests += 1;
      response.writeHead(429, { 'retry-after': '0' }).end();
    });
    expect((await run(['--retries', '1'], url))[1]).toMatch(/^FAIL {2}blocked .*too many requests \(429\)/);
    expect(requests).toBe(2);
  });

  it('is OK if its status is accepted', async () => {
    const url = await aServer((response) => response.writeHead(429).end());
    expect(await run(['--accept', '429'], url)).toEqual([0, expect.stringMatching(/^OK {4}429 /)]);
  });
});
