import { describe, expect, test } from 'vitest';
import { diagnoseConnectError } from '../../src/http/connector.ts';
import { ConnectError, ResourceExhaustedError } from '../../src/http/network-errors.ts';
import * as hostile from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';
import { startHttps, startStalledHandshake } from '../origin/tls.ts';
import { running, startClient } from './client.ts';

describe('Connector', () => {
  const onPort = (name: string, { port }: { readonly port: number }) => `http://${name}:${port}/ok`;

  test.each([59_990, 60_000, 1_000_000])(
    'has one timeout for lookup, connect and TLS: %i ms of 60,000 were used by the lookup',
    async (lookupMs) => {
      const stalled = await running(startStalledHandshake());
      let nowMs = 0;
      const { send } = await startClient({
        connectTimeoutMs: 60_000,
        lookupClock: () => nowMs,
        lookUp: async () => {
          nowMs += lookupMs;
          return ['127.0.0.1'];
        },
      });
      const { failed } = await send(`https://a.test:${stalled.port}/`, {}, { timeoutMs: 100_000 });
      expect(failed?.failure).toMatchObject({
        code: 'ERR_CONNECT_TIMEOUT',
        message: 'no connection to a.test within 1m',
      });
      await stalled.ended.reached(1);
    },
  );

  test('reports a failed handshake rather than another address that takes long', async () => {
    const plain = await running(startOrigin({ host: '127.0.0.2' }));
    const stalled = await running(startStalledHandshake({ port: plain.port }));
    const { send } = await startClient({
      connectTimeoutMs: 1_000,
      lookUp: async () => ['127.0.0.2', '127.0.0.1'],
    });
    const { failed } = await send(`https://localhost:${plain.port}/ok`);
    expect(failed?.failure.kind).toBe('tls');
    await stalled.ended.reached(1);
  });

  test.each([
    ['the same', '127.0.0.2'],
    ['the other', '::1'],
  ])('tries the next address after one that refuses, of %s family', async (_, address) => {
    const origin = await running(startOrigin());
    const { send } = await startClient({ lookUp: async () => [address, '127.0.0.1'] });
    expect((await send(onPort('a.test', origin))).response?.status).toBe(200);
  });

  test('tries the addresses of a name in order, and reports the last failure', async () => {
    const origin = await running(startOrigin());
    const { send } = await startClient({ lookUp: async () => ['127.0.0.2', '127.0.0.3', '127.0.0.1'] });
    expect((await send(`http://many.test:${origin.port}/ok`)).response?.status).toBe(200);
    const none = await send(`http://many.test:${(await hostile.refusedPort()).port}/`);
    expect(none.failed?.failure).toMatchObject({ kind: 'connect', code: 'ECONNREFUSED' });
    expect(none.failed?.failure.message, 'the last address').toMatch(/127\.0\.0\.1:\d+$/);
  });

  test('starts the next address in parallel if the handshake with one stalls', async () => {
    const origin = await running(startHttps());
    const stalled = await running(startStalledHandshake({ host: '127.0.0.2', port: origin.port }));
    const { send } = await startClient({ lookUp: async () => ['127.0.0.2', '127.0.0.1'] });
    expect((await send(`https://localhost:${origin.port}/ok`)).response?.status).toBe(200);
    await stalled.ended.reached(1);
  });

  test('lets the first address win if its handshake is only slow, without starting the others', async () => {
    const origin = await running(
      startHttps({ tls: { SNICallback: (_, done) => setTimeout(done, 600, null) } }),
    );
    const others = await Promise.all(
      ['127.0.0.2', '127.0.0.3'].map((host) => running(startHttps({ host, port: origin.port }))),
    );
    const { send } = await startClient({ lookUp: async () => ['127.0.0.1', '127.0.0.2', '127.0.0.3'] });
    expect((await send(`https://localhost:${origin.port}/ok`)).response?.status).toBe(200);
    expect(others.map(({ connections }) => connections)).toEqual([0, 0]);
  });

  test.each(['127.0.0.2', '::1'])(
    'reports a bad certificate, whatever the next address %s does',
    async (next) => {
      const origin = await running(startHttps());
      const { send } = await startClient({ lookUp: async () => ['127.0.0.1', next] });
      const { failed } = await send(`https://wrong.test:${origin.port}/ok`);
      expect(failed).toMatchObject({ failure: { kind: 'tls' }, isRetryable: false });
      expect(origin.connections).toBe(1);
    },
  );

  test('reports a failed handshake rather than an address that refuses', async () => {
    const plain = await running(startOrigin());
    const { send } = await startClient({ lookUp: async () => ['127.0.0.1', '127.0.0.2'] });
    const { failed } = await send(`https://localhost:${plain.port}/ok`);
    expect(failed?.failure.kind).toBe('tls');
  });
});

describe('diagnoseConnectError()', () => {
  function diagnose(error: ConnectError, address: string): Promise<ConnectError | ResourceExhaustedError> {
    return new Promise((resolve) => diagnoseConnectError(error, address, resolve));
  }

  test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])(
    'turns %s of a connect into a ResourceExhaustedError',
    async (code) => {
      const error = await diagnose(new ConnectError('connect', code, 'words'), '192.0.2.1');
      expect(error).toBeInstanceOf(ResourceExhaustedError);
      expect(error).toMatchObject({ kind: 'connect', code, message: 'words' });
    },
  );

  test('turns EADDRNOTAVAIL into one if there is a route to the address: the local ports are used up', async () => {
    const error = await diagnose(new ConnectError('connect', 'EADDRNOTAVAIL', 'words'), '127.0.0.1');
    expect(error).toBeInstanceOf(ResourceExhaustedError);
  });

  test('keeps EADDRNOTAVAIL if there is no route to the address', async () => {
    const error = new ConnectError('connect', 'EADDRNOTAVAIL', 'words');
    expect(await diagnose(error, 'fe80::1')).toBe(error); // a link-local address without its link
  });

  test.each([
    ['connect', 'ECONNREFUSED'],
    ['tls', 'EMFILE'],
  ] as const)('keeps a %s failure with %s', async (kind, code) => {
    const error = new ConnectError(kind, code, 'words');
    expect(await diagnose(error, '127.0.0.1')).toBe(error);
  });
});
