import { expect, test } from 'vitest';
import { startClient } from './client.ts';
import { frames, startHttp2Frames } from './http2-frames.ts';

const { ok, data, lastData, trailers, reset, goAway, unknownStream } = frames;

async function replyTo(response: (id: number) => readonly Buffer[], timeoutMs = 10_000) {
  const url = await startHttp2Frames(response);
  const { send, agent } = await startClient({ tls: { http2: true } });
  const reply = await send(url, {}, { timeoutMs });
  expect(agent.inFlight).toBe(0);
  return reply;
}

test.each([
  ['2 of an internal error', 2, 'INTERNAL_ERROR'],
  ['8 of a stream that is not wanted any more', 8, 'CANCEL'],
])('a body that is reset with code %s is no whole one', async (_, code, name) => {
  const { response, failed } = await replyTo((id) => [ok(id), data(id, 1000), reset(id, code)]);
  expect(response).toMatchObject({ status: 200, bytes: 1000 });
  expect(failed).toMatchObject({ failure: { kind: 'reset', code: `NGHTTP2_${name}` }, isRetryable: true });
});

test('a body that is whole is so, even if its stream is reset without an error after that', async () => {
  const { response, failed } = await replyTo((id) => [ok(id), lastData(id, 1000), reset(id, 0)]);
  expect([failed, response?.bytes]).toEqual([undefined, 1000]);
});

test('no byte of a body is lost when trailers come with it', async () => {
  const { response, failed } = await replyTo((id) => [ok(id), data(id, 1000), trailers(id)]);
  expect([failed, response?.bytes]).toEqual([undefined, 1000]);
});

test('what is under way is finished when the server says that it is the last', async () => {
  const { response, failed } = await replyTo((id) => [goAway(id), ok(id), lastData(id, 1000)]);
  expect([failed, response?.bytes]).toEqual([undefined, 1000]);
});

test('what comes after the last one that the server takes has no response, and may be tried again', async () => {
  const { response, failed } = await replyTo(() => [goAway(0)]);
  expect(response).toBeUndefined();
  expect(failed).toMatchObject({ failure: { kind: 'reset' }, isRetryable: true });
});

test.each<[string, (id: number) => Buffer[]]>([
  ['what is no frame', () => [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')]],
  ['data for a stream that is not there', () => [unknownStream()]],
  ['data before the head', (id) => [lastData(id, 10)]],
])('%s is no answer', async (_, response) => {
  const { failed } = await replyTo(response, 150);
  // Node tells the server by GOAWAY what is wrong, and nobody else: it waits for more.
  expect(failed?.failure.kind).toMatch(/^(protocol|reset|timeout)$/);
});
