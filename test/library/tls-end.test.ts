import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type SecureContextOptions, TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FanoutOptions, fanout, type Result } from '../../src/index.ts';
import { filesIn } from '../bodies/a-saver.ts';
import { serverCertificate } from '../origin/certificates.ts';
import { listen } from '../origin/listen.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { caPem } from '../origin/tls.ts';

const HALF = 'half of the bod';

interface Ending {
  /** Whether TLS is ended with close_notify, and not only TCP. */
  readonly notifies: boolean;
  readonly headers?: string;
  readonly body?: string;
}

/** Starts an https server whose responses end with their connection. */
async function start({ notifies, headers = '', body = HALF }: Ending, tls: SecureContextOptions = {}) {
  const certificate = await serverCertificate();
  const requests: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    const secure = new TLSSocket(socket, { isServer: true, ...certificate, ...tls });
    secure.on('error', () => {});
    secure.on('data', (head) => {
      requests.push(`${head}`);
      secure.write(`HTTP/1.1 200 OK\r\n${headers}\r\n${body}`, () => {
        if (notifies) secure.end();
        else socket.destroySoon();
      });
    });
  });
  const listening = await listen(server, {});
  onTestFinished(() => listening.close());
  return { url: `https://${listening.authority}/a.txt`, requests };
}

async function fetchOne(url: string, options: FanoutOptions): Promise<Result> {
  const results: Result[] = [];
  for await (const result of fanout([url], { retries: 0, cacert: await caPem(), ...options })) {
    results.push(result);
  }
  expect(results).toHaveLength(1);
  return results[0] as Result; // there is one
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a body that ends with its connection, %s', (version) => {
  const tls = { minVersion: version, maxVersion: version };
  const CUT = { ok: false, status: 200, attempts: 1, failure: { kind: 'reset' } };

  it('is saved if the server ends TLS', async () => {
    const { url, requests } = await start({ notifies: true }, tls);
    const saveDir = await tempDir();
    const result = await fetchOne(url, { saveDir });
    expect(result).toMatchObject({ ok: true, attempts: 1 });
    expect(await readFile(join(saveDir, result.body?.path ?? ''), 'utf8')).toBe(HALF);
    expect(requests, 'the second is on a connection whose end is watched').toHaveLength(2);
  });

  it('is incomplete if TCP ends before TLS', async () => {
    const { url } = await start({ notifies: false }, tls);
    const saveDir = await tempDir();
    expect(await fetchOne(url, { saveDir })).toMatchObject(CUT);
    expect(await filesIn(saveDir)).toEqual([]);
  });

  it.each<[string, FanoutOptions]>([
    ['put into the record', { inlineBody: true }],
    ['searched', { notContains: ['nothing'] }],
    ['the response to POST', { method: 'POST', body: 'buffer' }],
    ['read by the strict parser', { strict: true, body: 'buffer' }],
    ['the response to POST read by the strict parser', { method: 'POST', strict: true, body: 'buffer' }],
  ])('is whole or incomplete when it is %s', async (_, options) => {
    const whole = await start({ notifies: true }, tls);
    expect(await fetchOne(whole.url, options)).toMatchObject({ ok: true, bytes: HALF.length });
    const cut = await start({ notifies: false }, tls);
    expect(await fetchOne(cut.url, options)).toMatchObject(CUT);
    if (options.method === 'POST') expect(cut.requests).toHaveLength(1);
  });

  it.each(['', 'X-A: a\r\n b\r\n'])('need not be whole if it is only counted: %j', async (headers) => {
    const { url } = await start({ notifies: false, headers }, tls);
    expect(await fetchOne(url, {})).toMatchObject({ ok: true, bytes: HALF.length });
  });

  it('is requested once if its length is known', async () => {
    const { url, requests } = await start({ notifies: false, headers: 'Content-Length: 15\r\n' }, tls);
    expect(await fetchOne(url, { body: 'buffer' })).toMatchObject({ ok: true });
    expect(requests).toHaveLength(1);
  });

  it('costs one more request per origin', async () => {
    const { url, requests } = await start({ notifies: true, body: 'x'.repeat(300_000) }, tls);
    const cacert = await caPem();
    const urls = [1, 2, 3, 4].map((id) => `${url}?${id}`);
    for await (const result of fanout(urls, { cacert, body: 'buffer', concurrency: 1 })) {
      expect(result).toMatchObject({ ok: true, bytes: 300_000 });
    }
    expect(requests).toHaveLength(5);
  });
});
