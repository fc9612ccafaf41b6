import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Channel } from '../../src/core/channel.ts';
import { runs } from '../arbitrary/runs.ts';

interface Item {
  readonly id: number;
}

type Step = 'send' | 'receive' | 'close' | 'abort';

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.constant('send' as const) },
  { weight: 10, arbitrary: fc.constant('receive' as const) },
  { weight: 1, arbitrary: fc.constantFrom('close' as const, 'abort' as const) },
);

/** What became of each sending and receiving, in their order. */
interface Story {
  readonly sent: ('accepted' | 'refused' | 'waiting')[];
  readonly received: (number | 'end' | 'waiting')[];
}

async function real(capacity: number, steps: readonly Step[]): Promise<Story> {
  const channel = new Channel<Item>(capacity);
  const story: Story = { sent: [], received: [] };
  for (const what of steps) {
    if (what === 'send') {
      const id = story.sent.push('waiting') - 1;
      const accepted = channel.send({ id });
      if (accepted === undefined) story.sent[id] = 'accepted';
      else {
        const settle = (end: 'accepted' | 'refused') => () => {
          story.sent[id] = end;
        };
        accepted.then(settle('accepted'), settle('refused'));
      }
    } else if (what === 'receive') {
      const at = story.received.push('waiting') - 1;
      Promise.resolve(channel.receive()).then((item) => {
        story.received[at] = item?.id ?? 'end';
      });
    } else if (what === 'close') channel.close();
    else channel.abort(new Error('aborted'));
    expect(channel.size).toBeLessThanOrEqual(capacity);
    await new Promise(setImmediate);
  }
  return story;
}

/** The same with lists alone: who waits is looked for from the start. */
function model(capacity: number, steps: readonly Step[]): Story {
  const story: Story = { sent: [], received: [] };
  let queue: number[] = [];
  let state: 'open' | 'closed' | 'aborted' = 'open';
  const settle = () => {
    for (const [at, got] of story.received.entries()) {
      if (got === 'waiting' && queue.length > 0) story.received[at] = queue.shift() ?? 'end';
      else if (got === 'waiting' && state !== 'open') story.received[at] = 'end';
    }
    for (const id of queue.slice(0, capacity)) story.sent[id] = 'accepted';
  };
  for (const what of steps) {
    if (what === 'receive') story.received.push('waiting');
    else if (what === 'send') {
      const id = story.sent.push(state === 'open' ? 'waiting' : 'refused') - 1;
      if (state === 'open') queue.push(id);
      // Taken by who waited, it never stands in the queue.
      if (state === 'open' && story.received.includes('waiting')) story.sent[id] = 'accepted';
    } else if (what === 'close') state = state === 'open' ? 'closed' : state;
    else {
      for (const [id, end] of story.sent.entries()) if (end === 'waiting') story.sent[id] = 'refused';
      queue = [];
      state = 'aborted';
    }
    settle();
  }
  return story;
}

test('Channel does as its model does, in whatever order its sides come, wait, close and abort', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 40 }),
      async (capacity, steps) => {
        expect(await real(capacity, steps)).toEqual(model(capacity, steps));
      },
    ),
    runs(100),
  );
});
