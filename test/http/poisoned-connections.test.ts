import { expect, test } from 'vitest';
import * as hostile from '../origin/hostile.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { okAnswer } from '../origin/script.ts';
import { running, startClient } from './client.ts';

const servers = { ...hostile };

test.each([
  'truncatedBody',
  'badChunkSize',
  'bareCr',
  'extraBytes',
  'secondAnswer',
  'unsolicitedUpgrade',
] as const)('%s twice is no harm to the next origin', async (name) => {
  const odd = await running(servers[name]());
  const good = await running(startRawServer({ onRequest: ({ socket }) => socket.write(okAnswer('good')) }));
  const { send, agent } = await startClient();
  const first = await send(odd.url);
  const second = await send(odd.url);
  expect(second.failed?.failure, 'the second time is as the first').toEqual(first.failed?.failure);
  expect(second.response?.bytes).toBe(first.response?.bytes);
  expect((await send(good.url)).response).toMatchObject({ status: 200, bytes: 4 });
  expect(agent.inFlight).toBe(0);
});

test('bytes behind an answer on a kept connection do not become the next answer', async () => {
  const server = await running(
    startRawServer({
      onRequest: ({ socket, target }) => {
        const extra = target === '/odd' ? 'HTTP/1.1 500 Odd\r\nContent-Length: 0\r\n\r\ngarbage' : '';
        socket.write(okAnswer('x'.repeat(target.length)) + extra);
      },
    }),
  );
  const { send } = await startClient();
  const statuses: unknown[] = [];
  for (const path of ['/odd', '/right', '/odd', '/odd', '/right!']) {
    const { response, failed } = await send(`${server.url}${path}`);
    statuses.push([failed?.failure.message, response?.status, response?.bytes === path.length]);
  }
  expect(statuses).toEqual(Array.from({ length: 5 }, () => [undefined, 200, true]));
});
