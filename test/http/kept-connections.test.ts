import { expect, test } from 'vitest';
import { startOrigin } from '../origin/origin.ts';
import { startProxy } from '../origin/proxy.ts';
import { startHttps } from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { through } from './through.ts';

test.each([
  ['a plain origin', startOrigin],
  ['a TLS origin', startHttps],
])('the last request to %s says so, and its connection is closed', async (_, startServer) => {
  const origin = await running(startServer());
  const { send, agent } = await startClient();
  await send(`${origin.url}/ok`);
  expect((await send(`${origin.url}/echo`, {}, { isLast: true })).response?.status).toBe(200);
  await origin.disconnected(1);
  expect(origin.log.map(({ headers }) => headers.connection)).toEqual(['keep-alive', 'close']);
  await send(`${origin.url}/ok`);
  expect([origin.connections, agent.inFlight]).toEqual([2, 0]);
});

test('the connection after which a request says it is the last is closed also for HEAD', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient();
  await send(`${origin.url}/ok`, { method: 'HEAD' }, { isLast: true });
  await origin.disconnected(1);
});

test('an idle connection makes room for a new one when no more may be open', async () => {
  const origins = await Promise.all([1, 2, 3].map(() => running(startOrigin())));
  const { send } = await startClient({ maxOpen: 2 });
  for (const origin of origins) await send(`${origin.url}/ok`);
  await origins[0]?.disconnected(1);
  for (const origin of origins.slice(1)) await send(`${origin.url}/ok`);
  expect(origins.map((origin) => origin.connections)).toEqual([1, 1, 1]);
});

test('a connection that is needed is opened also where only busy ones are', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient({ maxOpen: 1 });
  const busy = send(`${origin.url}/gate/one`);
  await origin.waiting('one');
  expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
  origin.open('one');
  expect((await busy).response?.status).toBe(200);
});

test('closeIdle() closes what is idle and leaves what is busy', async () => {
  const origin = await running(startOrigin());
  const { send, agent } = await startClient();
  const busy = send(`${origin.url}/gate/one`);
  await origin.waiting('one');
  await send(`${origin.url}/ok`);
  agent.closeIdle();
  await origin.disconnected(1);
  origin.open('one');
  expect((await busy).response?.status).toBe(200);
});

test('an agent is crowded when it has connections to more than 16 origins, however many to each', async () => {
  const origins = await Promise.all(Array.from({ length: 17 }, () => running(startOrigin())));
  const { send, agent } = await startClient();
  const sent = origins.map((origin) => send(`${origin.url}/gate/all`));
  await Promise.all(origins.map((origin) => origin.waiting('all')));
  expect(agent.hasManyOrigins).toBe(true);
  for (const origin of origins) origin.open('all');
  await Promise.all(sent);
  expect(agent.hasManyOrigins, 'also when they are idle').toBe(true);
  agent.closeIdle();
  await Promise.all(Array.from({ length: 40 }, () => send(`${origins[0]?.url}/ok`)));
  expect(agent.hasManyOrigins).toBe(false);
});

test('what is sent by way of a proxy leaves the connection to the proxy open for other hosts', async () => {
  const proxy = await running(startProxy());
  const origins = await Promise.all([1, 2].map(() => running(startOrigin())));
  const { send } = await startClient({ proxies: through(proxy.url) });
  for (const origin of origins) {
    expect((await send(`${origin.url}/ok`, {}, { isLast: true })).response?.status).toBe(200);
  }
  expect(proxy.accepted.count).toBe(1);
});
