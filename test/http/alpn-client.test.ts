import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { serverCertificate } from '../origin/certificates.ts';
import { startHttps } from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { startHttp2 } from './http2-origin.ts';

const http2Client = () => startClient({ tls: { http2: true } });

test('AlpnClient uses HTTP/2 with a server that offers it, over one connection', async () => {
  const origin = await startHttp2();
  const { send, agent } = await http2Client();
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await send(origin.url)).toMatchObject({ failed: undefined, response: { status: 200, bytes: 2 } });
  }
  expect(origin.log.map(({ version }) => version)).toEqual(['2.0', '2.0', '2.0']);
  expect([origin.accepted.count, agent.inFlight]).toEqual([1, 0]);
});

test('AlpnClient uses HTTP/1.1 with a server that offers only that, and keeps the connection', async () => {
  const origin = await running(startHttps());
  const { send } = await http2Client();
  for (let turn = 0; turn < 3; turn += 1) {
    expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
  }
  expect([origin.requests, origin.connections]).toEqual([3, 1]);
});

test('AlpnClient connects again after the server has closed an HTTP/1.1 connection', async () => {
  const origin = await running(startHttps({ keepAliveTimeoutMs: 1 }));
  const { send } = await http2Client();
  for (let turn = 1; turn <= 3; turn += 1) {
    expect((await send(`${origin.url}/ok`, { method: 'POST', body: 'x' })).response?.status).toBe(200);
    await origin.disconnected(turn);
  }
  expect(origin.connections).toBe(3);
});

test.each(['GET', 'POST'])('AlpnClient reads HTTP/1.1 leniently: %s', async (method) => {
  const server = createServer({ ...(await serverCertificate({})), ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const { send } = await http2Client();
  const outcome = await send(`https://127.0.0.1:${port}/`, { method }, { use: 'lenient' });
  expect(outcome).toMatchObject({ failed: undefined, response: { status: 200, bytes: 5 } });
});

test('without --http2, HTTP/1.1 is used with a server that offers both', async () => {
  const origin = await startHttp2({}, { allowHTTP1: true });
  const { send } = await startClient();
  expect((await send(origin.url)).response?.status).toBe(200);
  expect(origin.log[0]?.version).toBe('1.1');
});
