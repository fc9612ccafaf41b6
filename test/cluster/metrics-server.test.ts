import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MetricsServer, type MetricsServerParts } from '../../src/cluster/metrics.ts';
import { UsageError } from '../../src/model/errors.ts';
import { get } from '../origin/get.ts';

const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

async function aServer(more: Partial<MetricsServerParts> = {}): Promise<MetricsServer> {
  const parts = { host: '127.0.0.1', port: 0, render: async () => '# EOF\n', contentType: CONTENT_TYPE };
  const server = await MetricsServer.listen({ ...parts, ...more });
  onTestFinished(() => server.close());
  return server;
}

describe('MetricsServer', () => {
  it('answers GET and HEAD of /metrics, with a query or without', async () => {
    const { url } = await aServer();
    const got = await get(url);
    expect([got.status, got.text, got.headers['content-type']]).toEqual([200, '# EOF\n', CONTENT_TYPE]);
    expect(await get(`${url}?name=x`)).toMatchObject({ status: 200, text: '# EOF\n' });
    const head = await get(url, { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '6']);
  });

  it('has nothing else', async () => {
    const { url } = await aServer();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await get(url, { method, body: 'x' })).status).toBe(404);
    }
    for (const path of ['/', '/metrics/', '/metricsx', '//metrics', '/%6detrics']) {
      expect((await get(new URL(url).origin, { path })).status).toBe(404);
    }
  });

  it('is on the loopback of IPv6, too', async () => {
    const { url } = await aServer({ host: '::1' });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+\/metrics$/);
    expect((await get(url)).status).toBe(200);
  });

  it('says why it cannot listen', async () => {
    const { port } = new URL((await aServer()).url);
    const again = aServer({ port: Number(port) });
    await expect(again).rejects.toThrow(UsageError);
    await expect(again).rejects.toThrow(`Cannot serve metrics at 127.0.0.1:${port}: address already in use`);
  });

  it('makes one page for all who ask at once', async () => {
    let pages = 0;
    let finish = (_: string) => {};
    const render = () => {
      pages += 1;
      return new Promise<string>((resolve) => {
        finish = resolve;
      });
    };
    const { url } = await aServer({ render });
    const sockets = [1, 2, 3].map(() => connect(Number(new URL(url).port), '127.0.0.1'));
    for (const socket of sockets) {
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      onTestFinished(() => void socket.destroy());
    }
    // A fourth has its answer only after the three before it were heard.
    await get(`${url}x`);
    finish('page\n');
    for (const socket of sockets) expect(String((await once(socket, 'data'))[0])).toContain('page\n');
    expect(pages).toBe(1);
  });

  it('cuts off whoever is connected when it is closed', { timeout: 5000 }, async () => {
    const server = await aServer({ render: () => new Promise(() => {}) });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await get(`${server.url}x`);
    server.close();
    await closed;
  });
});
