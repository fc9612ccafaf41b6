import { expect, test } from 'vitest';
import { SystemResolver } from '../../src/http/dns/lookup.ts';

test('getaddrinfo knows localhost', async () => {
  const { addresses, ttlMs } = await new SystemResolver(undefined).lookUp('localhost');
  expect(addresses[0]).toBe('127.0.0.1');
  expect(ttlMs).toBe(60_000);
});

test('one family alone is asked for', async () => {
  const { addresses } = await new SystemResolver(4).lookUp('localhost');
  expect(addresses).toContain('127.0.0.1');
  expect(addresses.filter((address) => address.includes(':'))).toEqual([]);
});

test('what the system does not know is a failure of DNS', async () => {
  const name = `${'x'.repeat(64)}.test`; // refused before anybody is asked
  await expect(new SystemResolver(undefined).lookUp(name)).rejects.toMatchObject({
    kind: 'dns',
    code: expect.stringMatching(/^E/),
  });
});

test('a name that is not wanted any more when its turn comes is not asked for', async () => {
  await expect(new SystemResolver(undefined).lookUp('localhost', () => false)).rejects.toMatchObject({
    kind: 'dns',
    code: 'EAI_AGAIN',
  });
});

test('two names are asked for at a time, and close() calls off those that wait', async () => {
  const system = new SystemResolver(undefined);
  const asked = Array.from({ length: 4 }, () => system.lookUp('localhost'));
  system.close();
  const ended = await Promise.allSettled(asked);
  expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
});
