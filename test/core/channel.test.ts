import { describe, expect, test } from 'vitest';
import { Channel } from '../../src/core/channel.ts';
import { allReactions, watch } from './watch.ts';

const value = (name: string) => ({ name });
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(value) as [object, object, object, object]; // four in, four out

describe('Channel()', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a capacity of %d', (capacity) => {
    expect(() => new Channel(capacity)).toThrow(
      new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`),
    );
  });
});

describe('Channel.send() and receive()', () => {
  test('values are received in order, synchronously', () => {
    const channel = new Channel(3);
    expect([channel.send(a), channel.send(b), channel.send(c)]).toEqual([undefined, undefined, undefined]);
    expect([channel.receive(), channel.receive(), channel.receive()]).toEqual([a, b, c]);
  });

  test('send() waits while the channel is full, and is accepted when one value has left', async () => {
    const channel = new Channel(1);
    channel.send(a);
    const sent = watch(channel.send(b));
    await allReactions();
    expect(sent().state).toBe('pending');
    expect(channel.size).toBe(1);
    expect(channel.receive()).toBe(a);
    await allReactions();
    expect(sent().state).toBe('fulfilled');
    expect(channel.receive()).toBe(b);
  });

  test('waiting senders are accepted in order, before later ones', async () => {
    const channel = new Channel(1);
    channel.send(a);
    const [second, third] = [watch(channel.send(b)), watch(channel.send(c))];
    channel.receive();
    await allReactions();
    expect([second().state, third().state]).toEqual(['fulfilled', 'pending']);
    const fourth = watch(channel.send(d));
    expect([channel.receive(), channel.receive(), channel.receive()]).toEqual([b, c, d]);
    await allReactions();
    expect([third().state, fourth().state]).toEqual(['fulfilled', 'fulfilled']);
  });

  test('waiting receivers are served in order', async () => {
    const channel = new Channel(1);
    const received = [channel.receive(), channel.receive()];
    channel.send(a);
    channel.send(b);
    expect(await Promise.all(received)).toEqual([a, b]);
    expect(channel.size).toBe(0);
  });

  test('a value for a waiting receiver takes up no room', () => {
    const channel = new Channel(1);
    channel.receive();
    expect(channel.send(a)).toBeUndefined();
    expect(channel.send(b)).toBeUndefined();
    expect(channel.send(c)).toBeInstanceOf(Promise);
  });
});

describe('Channel.close()', () => {
  test('values sent before are delivered, also those of waiting senders, and then undefined', async () => {
    const channel = new Channel(1);
    channel.send(a);
    const sent = channel.send(b);
    channel.close();
    expect([channel.receive(), channel.receive(), channel.receive(), channel.receive()]).toEqual([
      a,
      b,
      undefined,
      undefined,
    ]);
    await sent;
  });

  test('every waiting receiver gets undefined', async () => {
    const channel = new Channel(1);
    const received = [channel.receive(), channel.receive()];
    channel.close();
    channel.close();
    expect(await Promise.all(received)).toEqual([undefined, undefined]);
  });

  test('send() rejects', async () => {
    const channel = new Channel(1);
    channel.close();
    await expect(channel.send(a)).rejects.toThrow('Cannot send: the channel is closed');
    expect(channel.receive()).toBeUndefined();
  });
});

describe('Channel.abort()', () => {
  const reason = new Error('no more');

  test('values are discarded, and receivers get undefined', async () => {
    const channel = new Channel(2);
    channel.send(a);
    channel.abort(reason);
    expect(channel.size).toBe(0);
    expect(channel.receive()).toBeUndefined();
  });

  test('every waiting receiver gets undefined', async () => {
    const channel = new Channel(1);
    const received = [channel.receive(), channel.receive()];
    channel.abort(reason);
    expect(await Promise.all(received)).toEqual([undefined, undefined]);
  });

  test('waiting and later senders are rejected with the reason', async () => {
    const channel = new Channel(1);
    channel.send(a);
    const refused = [channel.send(b), channel.send(c)];
    channel.abort(reason);
    refused.push(channel.send(d));
    for (const sent of refused) await expect(sent).rejects.toBe(reason);
  });

  test('the first reason is kept', async () => {
    const channel = new Channel(1);
    channel.abort(reason);
    channel.abort(new Error('another'));
    await expect(channel.send(a)).rejects.toBe(reason);
  });

  test('a closed channel that still holds values can be aborted, an aborted one cannot be closed', async () => {
    const channel = new Channel(1);
    channel.send(a);
    const sent = channel.send(b);
    channel.close();
    channel.abort(reason);
    channel.close();
    await expect(sent).rejects.toBe(reason);
    expect(channel.receive()).toBeUndefined();
    await expect(channel.send(c)).rejects.toBe(reason);
  });
});

describe('Channel.useAll()', () => {
  test('uses held values at once, and each later one while it is sent', async () => {
    const channel = new Channel(2);
    const used: object[] = [];
    channel.send(a);
    channel.send(b);
    const ended = watch(channel.useAll((next) => void used.push(next)));
    expect(used).toEqual([a, b]);
    expect(channel.send(c)).toBeUndefined();
    expect(used).toEqual([a, b, c]);
    await allReactions();
    expect(ended().state).toBe('pending');
    channel.close();
    await allReactions();
    expect(ended().state).toBe('fulfilled');
  });

  test('waits for a promise before it uses the next value, and holds the senders back', async () => {
    const channel = new Channel(1);
    const used: object[] = [];
    const releases: (() => void)[] = [];
    const ended = watch(
      channel.useAll((next) => {
        used.push(next);
        return new Promise<void>((resolve) => releases.push(resolve));
      }),
    );
    expect(channel.send(a)).toBeUndefined();
    expect(channel.send(b)).toBeUndefined();
    const third = watch(channel.send(c));
    channel.close();
    await allReactions();
    expect([used, third().state]).toEqual([[a], 'pending']);
    releases.shift()?.();
    await allReactions();
    expect([used, third().state]).toEqual([[a, b], 'fulfilled']);
    releases.shift()?.();
    await allReactions();
    expect([used, ended().state]).toEqual([[a, b, c], 'pending']);
    releases.shift()?.();
    await allReactions();
    expect(ended().state).toBe('fulfilled');
  });

  test('uses a value that is sent while another one is used after that one', async () => {
    const channel = new Channel(1);
    const used: object[] = [];
    const all = channel.useAll((next) => {
      if (next === a) channel.send(b);
      used.push(next);
      return undefined;
    });
    channel.send(a);
    channel.close();
    await all;
    expect(used).toEqual([a, b]);
  });

  test.each([
    ['throws', () => throwing()],
    ['rejects', () => Promise.reject(new Error('disk full'))],
  ])('rejects if the use %s, and uses no further value', async (_, fail) => {
    const channel = new Channel(3);
    const used: object[] = [];
    for (const next of [a, b]) channel.send(next);
    const all = channel.useAll((next) => {
      used.push(next);
      return fail();
    });
    await expect(all).rejects.toThrow('disk full');
    channel.send(c);
    expect(used).toEqual([a]);
  });

  test('resolves when the channel is aborted, and uses no held value', async () => {
    const channel = new Channel(2);
    const used: object[] = [];
    let release = () => {};
    const all = channel.useAll((next) => {
      used.push(next);
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    channel.send(a);
    channel.send(b);
    channel.abort(new Error('stopped'));
    release();
    await all;
    expect(used).toEqual([a]);
  });
});

function throwing(): undefined {
  throw new Error('disk full');
}
