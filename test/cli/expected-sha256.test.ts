import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeResumeRecord } from '../../src/bodies/resume.ts';
import { fanout, type Result } from '../../src/index.ts';
import { filesIn } from '../bodies/a-saver.ts';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { runInProcess } from './run-in-process.ts';

type Responder = (response: ServerResponse, request: IncomingMessage) => void;

async function aServer(respond: Responder): Promise<string> {
  const server = createServer((request, response) => respond(response, request));
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return `http://${listening.authority}/file.bin`;
}

const BODY = 'x'.repeat(30_000);
const SHA256 = createHash('sha256').update(BODY).digest('hex');
const WRONG = '0'.repeat(64);

/** The record of one job with this expectation. */
async function record(url: string, sha256: string, flags: readonly string[] = []): Promise<Result> {
  const stdin = JSON.stringify({ url, expect: { sha256 } });
  const { stdout } = await runInProcess(['fetch', '--retries', '0', '--json', ...flags], { stdin });
  return JSON.parse(stdout);
}

const failure = (message: string) => ({
  ok: false,
  failure: { kind: 'expectation', code: 'ERR_SHA256', message },
});
const MISMATCH = failure(`the SHA-256 of the body is ${SHA256}, not ${WRONG}`);

describe('"sha256" in the "expect" of a JSON job', () => {
  it.each([
    ['plain', (response: ServerResponse) => response.end(BODY)],
    [
      'gzip: the hash is that of the decoded body',
      (response: ServerResponse) =>
        response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.from(BODY))),
    ],
    [
      'in pieces',
      (response: ServerResponse) => {
        response.write(BODY.slice(0, 10));
        setImmediate(() => response.end(BODY.slice(10)));
      },
    ],
  ])('compares the body: %s', async (_, respond) => {
    const url = await aServer(respond);
    expect(await record(url, SHA256)).toMatchObject({ ok: true, status: 200 });
    expect(await record(url, SHA256.toUpperCase())).toMatchObject({ ok: true });
    expect(await record(url, WRONG)).toMatchObject({ ...MISMATCH, status: 200, attempts: 1 });
  });

  it('compares the bytes that are saved: with --no-decompress as they were sent', async () => {
    const bytes = gzipSync(Buffer.from(BODY));
    const url = await aServer((response) => response.setHeader('content-encoding', 'gzip').end(bytes));
    const sent = createHash('sha256').update(bytes).digest('hex');
    expect(await record(url, sent, ['--no-decompress'])).toMatchObject({ ok: true });
    expect(await record(url, SHA256, ['--no-decompress'])).toMatchObject({ ok: false });
  });

  it('keeps no file with its final name if the hash differs, and leaves what was there before', async () => {
    const dir = await tempDir();
    const url = await aServer((response) => response.end(BODY));
    expect(await record(url, WRONG, ['--save-dir', dir])).toMatchObject(MISMATCH);
    expect(await filesIn(dir)).toEqual([]);
    const saved = await record(url, SHA256, ['--save-dir', dir]);
    expect(saved).toMatchObject({ ok: true, body: { sha256: SHA256 } });
    expect(await filesIn(dir)).toEqual([saved.body?.path]);
    expect(await record(url, WRONG, ['--save-dir', dir])).toMatchObject(MISMATCH);
    expect(await filesIn(dir)).toEqual([saved.body?.path]);
  });

  it('holds for the end of a redirect, and with other expectations', async () => {
    const url = await aServer((response, { url: path }) => {
      if (path === '/file.bin') response.writeHead(302, { location: '/end' }).end('moved');
      else response.end(BODY);
    });
    expect(await record(url, SHA256, ['--contains', 'xxx'])).toMatchObject({ ok: true });
    expect(await record(url, WRONG, ['--contains', 'yyy'])).toMatchObject({
      failure: { message: 'the body does not contain "yyy"' },
    });
  });

  it('fails with kind size if the body is cut', async () => {
    const url = await aServer((response) => response.end(BODY));
    for (const size of ['1kb', '0']) {
      expect(await record(url, SHA256, ['--max-size', size])).toMatchObject({
        ok: false,
        failure: { kind: 'size', message: expect.stringContaining('SHA-256 was not checked') },
      });
    }
  });

  it('is invalid with HEAD, and if it is no SHA-256', async () => {
    const url = await aServer((response) => response.end(BODY));
    for (const flags of [['-I'], ['-X', 'HEAD']]) {
      expect(await record(url, SHA256, flags)).toMatchObject({
        failure: { kind: 'invalid', message: expect.stringContaining('body of a HEAD response') },
      });
    }
    for (const value of ['', 'abc', `${SHA256}0`, `sha256:${SHA256}`]) {
      expect(await record(url, value)).toMatchObject({
        failure: { kind: 'invalid', message: expect.stringContaining('must be a SHA-256 of 64 hexadecimal') },
      });
    }
  });

  it('is compared in threads, and repeated by --failed', async () => {
    const url = await aServer((response) => response.end(BODY));
    const failed = join(await tempDir(), 'failed.jsonl');
    const stdin = [SHA256, WRONG].map((sha256) => `{"url":"${url}","expect":{"sha256":"${sha256}"}}\n`);
    const flags = ['--threads', '2', '--json', '--ordered', '--failed', failed];
    const { code, stdout } = await runCli(['fetch', ...flags], { stdin: stdin.join('') });
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([code, records]).toMatchObject([1, [{ ok: true }, MISMATCH]]);
    expect(JSON.parse(await readFile(failed, 'utf8'))).toEqual({ url, expect: { sha256: WRONG } });
  });

  it('is another job for the journal', async () => {
    const journal = join(await tempDir(), 'journal');
    const url = await aServer((response) => response.end(BODY));
    expect(await record(url, SHA256, ['--journal', journal])).toMatchObject({ ok: true });
    expect(await record(url, WRONG, ['--journal', journal])).toMatchObject({ ok: false });
  });

  it('is read by the library', async () => {
    const url = await aServer((response) => response.end(BODY));
    const jobs = [SHA256, WRONG].map((sha256) => ({ url, expect: { sha256 } }));
    const found = [];
    for await (const result of fanout(jobs, { ordered: true })) found.push(result);
    expect(found).toMatchObject([{ ok: true }, MISMATCH]);
  });
});

describe('"sha256" with --resume-partial', () => {
  /** A server of one version, which sends the rest if it is asked for it. Tells what ranges it was asked for. */
  async function aRangeServer() {
    const ranges: (string | undefined)[] = [];
    const url = await aServer((response, request) => {
      ranges.push(request.headers.range);
      const [, from = '0'] = /bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
      response.setHeader('etag', '"one"');
      if (from !== '0') {
        response.statusCode = 206;
        response.setHeader('content-range', `bytes ${from}-${BODY.length - 1}/${BODY.length}`);
      }
      response.end(BODY.slice(Number(from)));
    });
    return { url, ranges };
  }

  async function aPartialFile(url: string, bytes: string): Promise<string> {
    const dir = await tempDir();
    const part = join(dir, `${new URL(url).host.replace(':', '_')}/file.bin.part`);
    await mkdir(dirname(part));
    await writeFile(part, bytes);
    await writeFile(`${part}.json`, encodeResumeRecord({ url, validator: '"one"', totalBytes: BODY.length }));
    return dir;
  }

  it('covers the part that was saved before', async () => {
    const { url, ranges } = await aRangeServer();
    const dir = await aPartialFile(url, BODY.slice(0, 10_000));
    const result = await record(url, SHA256, ['--save-dir', dir, '--resume-partial']);
    expect(result).toMatchObject({ ok: true, bytes: 20_000, body: { bytes: 30_000, sha256: SHA256 } });
    expect(ranges).toEqual(['bytes=10000-']);
  });

  it('fetches the whole once if the joined body is wrong', async () => {
    const { url, ranges } = await aRangeServer();
    const dir = await aPartialFile(url, '\0'.repeat(10_000));
    const result = await record(url, SHA256, ['--save-dir', dir, '--resume-partial']);
    expect(result).toMatchObject({ ok: true, bytes: 30_000, body: { sha256: SHA256 } });
    expect(ranges).toEqual(['bytes=10000-', undefined]);
    expect(await filesIn(dir)).toEqual([result.body?.path]);
  });
});
