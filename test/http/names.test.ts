import { expect, test } from 'vitest';
import { AttemptError } from '../../src/http/network-errors.ts';
import { startOrigin } from '../origin/origin.ts';
import { Tally } from '../origin/tally.ts';
import { startStalledHandshake } from '../origin/tls.ts';
import { running, startClient } from './client.ts';

const onPort = (name: string, { port }: { readonly port: number }) => `http://${name}:${port}/ok`;

test('the time of a connection starts when its address is known', async () => {
  const origin = await running(startOrigin());
  const stalled = await running(startStalledHandshake());
  const known = new Tally();
  const { send } = await startClient({
    connectTimeoutMs: 50,
    lookUp: async () => {
      await known.reached(1);
      return ['127.0.0.1'];
    },
  });
  const named = send(onPort('a.test', origin));
  const { failed } = await send(stalled.url); // dialled later, and its time is up
  expect(failed?.failure.code).toBe('ERR_CONNECT_TIMEOUT');
  known.add();
  expect((await named).response?.status).toBe(200);
});

test.each([
  ['the same', '127.0.0.2'],
  ['the other', '::1'],
])('an address that refuses is followed by the next one, of %s family', async (_, address) => {
  const origin = await running(startOrigin());
  const { send } = await startClient({ lookUp: async () => [address, '127.0.0.1'] });
  expect((await send(onPort('a.test', origin))).response?.status).toBe(200);
});

test('an attempt that is ended while its name is looked up is over at once, and connects to nothing', async () => {
  const origin = await running(startOrigin());
  const asked = new Tally();
  const known = new Tally();
  const { agent, send } = await startClient({
    lookUp: async () => {
      asked.add();
      await known.reached(1);
      return ['127.0.0.1'];
    },
  });
  const replied = send(onPort('a.test', origin));
  await asked.reached(1);
  agent.abort(new AttemptError('aborted', undefined, 'the run has ended'));
  expect((await replied).failed?.failure.kind).toBe('aborted');
  known.add();
  const other = await startClient();
  await other.send(`${origin.url}/ok`);
  expect(origin.connections).toBe(1);
});
