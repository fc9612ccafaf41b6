import { describe, expect, it, onTestFinished } from 'vitest';
import { startRawServer } from '../origin/raw-server.ts';
import { runInProcess } from './run-in-process.ts';

/** A server whose responses have a folded header line, which undici's parser refuses. */
async function aFoldingServer() {
  const server = await startRawServer({
    onRequest: ({ socket }) =>
      void socket.write('HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\nContent-Length: 5\r\n\r\nhello'),
  });
  onTestFinished(() => server.close());
  return server;
}

describe('a response that only a lenient parser reads', () => {
  it('is OK after a second request, and its record says so', async () => {
    const server = await aFoldingServer();
    const { code, stdout } = await runInProcess(['fetch', '--json', '--inline-body', '1kb', server.url]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      attempts: 1,
      lenient: true,
      body: { text: 'hello' },
    });
    expect(server.requests.count).toBe(2);
  });

  it('is a protocol failure with --strict, after one request', async () => {
    const server = await aFoldingServer();
    const { code, stdout } = await runInProcess(['fetch', '--json', '--strict', server.url]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, failure: { kind: 'protocol' } });
    expect(stdout).not.toContain('lenient');
    expect(server.requests.count).toBe(1);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
    'is read at once if the request is a %s, and its record says so',
    async (method) => {
      const server = await aFoldingServer();
      const { code, stdout } = await runInProcess(['fetch', '-X', method, '--json', server.url]);
      expect([code, server.requests.count]).toEqual([0, 1]);
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, lenient: true });
    },
  );
});
