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
