import { describe, expect, it, onTestFinished, test } from 'vitest';
import { type RawBehaviour, startRawServer } from '../origin/raw-server.ts';
import { runInProcess } from './run-in-process.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const UNWANTED = 'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nevil';

/** Fetches 20 URLs of a server, one after the other, and checks that each is OK. Returns the server. */
async function fetchAll(behaviour: RawBehaviour) {
  const server = await startRawServer(behaviour);
  onTestFinished(() => server.close());
  const stdin = Array.from({ length: 20 }, (_, index) => `${server.url}/${index}\n`).join('');
  const { stdout } = await runInProcess(['fetch', '-', '-c', '1', '--template={status} {attempts}'], {
    stdin,
  });
  expect(stdout).toBe('200 1\n'.repeat(20));
  return server;
}

// A request starts while the parser is still at the end of the response before it on the same connection.
describe('the next request of a connection', () => {
  test('is sent on it if the server keeps it open', async () => {
    const server = await fetchAll({ onRequest: ({ socket }) => void socket.write(OK) });
    expect(server.accepted.count).toBe(1);
  });

  test('does not get a response that nobody asked for', async () => {
    const server = await fetchAll({ onRequest: ({ socket }) => void socket.write(OK + UNWANTED) });
    expect(server.accepted.count).toBe(20);
  });

  it.each<[string, RawBehaviour]>([
    [
      'and says so',
      {
        onRequest: ({ socket }) =>
          void socket.end(OK.replace('Content-Length', 'Connection: close\r\nContent-Length')),
      },
    ],
    ['without a word', { onRequest: ({ socket }) => void socket.end(OK) }],
    [
      'every third time',
      { onRequest: ({ socket, turn }) => void (turn % 3 ? socket.write(OK) : socket.end(OK)) },
    ],
    [
      'by a reset, once it has sent all',
      {
        onRequest: ({ socket }) => void socket.write(OK, () => setImmediate(() => socket.resetAndDestroy())),
      },
    ],
  ])('is sent on another connection if the server closes it %s', async (_, behaviour) => {
    const server = await fetchAll(behaviour);
    expect(server.accepted.count).toBeGreaterThan(5);
  });
});
