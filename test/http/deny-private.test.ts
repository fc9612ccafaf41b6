import { expect, test } from 'vitest';
import { type AddressPolicy, denyPrivate } from '../../src/http/ssrf-guard.ts';
import { startOrigin } from '../origin/origin.ts';
import { startHttps } from '../origin/tls.ts';
import { running, startClient } from './client.ts';

/** The one address that a test may call public. */
const PUBLIC = '127.0.0.2';
const addressPolicy: AddressPolicy = (address) => (address === PUBLIC ? undefined : denyPrivate(address));

/** A public and a private origin on one port, and a client for which names have these addresses, one list for each look-up. */
async function start(...answers: readonly (readonly string[])[]) {
  const open = await running(startOrigin({ host: PUBLIC }));
  const inner = await running(startOrigin({ host: '127.0.0.1', port: open.port }));
  const left = [...answers];
  const lookUp = async () => left.shift() ?? [];
  const client = await startClient({ addressPolicy, lookUp });
  return { open, inner, client, url: `http://name.test:${open.port}/ok` };
}

test('a name of a refused address is denied for good, and nothing is sent', async () => {
  const { inner, client, url } = await start(['127.0.0.1']);
  expect((await client.send(url)).failed).toEqual({
    failure: {
      kind: 'denied',
      message: '127.0.0.1 is a loopback address (127.0.0.0/8), which --deny-private refuses',
    },
    isRetryable: false,
  });
  expect(inner.connections).toBe(0);
});

test.each(['127.0.0.1', '127.1', '0x7f.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]'])(
  'the literal %s is denied',
  async (host) => {
    const { inner, client } = await start();
    const { failed } = await client.send(`http://${host}:${inner.port}/ok`);
    expect(failed).toMatchObject({ failure: { kind: 'denied' }, isRetryable: false });
    expect(inner.connections).toBe(0);
  },
);

test('a refused address among others is skipped', async () => {
  const { open, inner, client, url } = await start(['127.0.0.1', PUBLIC]);
  expect((await client.send(url)).response?.status).toBe(200);
  expect([inner.connections, open.connections]).toEqual([0, 1]);
});

test('when the addresses that are left do not answer, that is the failure', async () => {
  const { open, inner, client, url } = await start([PUBLIC, '127.0.0.1']);
  await open.close();
  expect((await client.send(url)).failed).toMatchObject({
    failure: { kind: 'connect', code: 'ECONNREFUSED' },
    isRetryable: true,
  });
  expect(inner.connections).toBe(0);
});

test('a name whose addresses change is judged by the ones that are connected to', async () => {
  const { open, inner } = await start();
  let address = PUBLIC;
  const { agent, send } = await startClient({ addressPolicy, lookUp: async () => [address] });
  expect((await send(`http://one.test:${open.port}/ok`)).response?.status).toBe(200);
  address = '127.0.0.1';
  expect((await send(`http://two.test:${open.port}/ok`)).failed?.failure.kind).toBe('denied');
  expect(
    (await send(`http://one.test:${open.port}/ok`)).response?.status,
    'the connection that is kept',
  ).toBe(200);
  expect([open.connections, inner.connections, agent.inFlight]).toEqual([1, 0, 0]);
});

test('a look-up that gives a name for an address is denied, not looked up again', async () => {
  const { inner, client, url } = await start(['localhost']);
  expect((await client.send(url)).failed?.failure.kind).toBe('denied');
  expect(inner.connections).toBe(0);
});

test('an https origin is denied before the handshake', async () => {
  const server = await running(startHttps());
  const { send } = await startClient({ addressPolicy });
  expect((await send(server.url)).failed?.failure.kind).toBe('denied');
  expect(server.connections).toBe(0);
});
