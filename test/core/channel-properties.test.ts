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

/** The outcome of each `send` and `receive`, in their order. */
interface Outcomes {
  readonly sent: ('accepted' | 'refused' | 'waiting')[];
  readonly received: (number | 'end' | 'waiting')[];
}

async function real(capacity: number, steps: readonly Step[]): Promise<Outcomes> {
  const channel = new Channel<Item>(capacity);
  const outcomes: Outcomes = { sent: [], received: [] };
  for (const step of steps) {
    if (step === 'send') {
      const id = outcomes.sent.push('waiting') - 1;
      const accepted = channel.send({ id });
      if (accepted === undefined) outcomes.sent[id] = 'accepted';
      else {
        const settle = (end: 'accepted' | 'refused') => () => {
          outcomes.sent[id] = end;
        };
        accepted.then(settle('accepted'), settle('refused'));
      }
    } else if (step === 'receive') {
      const at = outcomes.received.push('waiting') - 1;
      Promise.resolve(channel.receive()).then((item) => {
        outcomes.received[at] = item?.id ?? 'end';
      });
    } else if (step === 'close') channel.close();
    else channel.abort(new Error('aborted'));
    expect(channel.size).toBeLessThanOrEqual(capacity);
    await new Promise(setImmediate);
  }
  return outcomes;
}

/** The same with plain lists, searched from the start. */
function model(capacity: number, steps: readonly Step[]): Outcomes {
  const outcomes: Outcomes = { sent: [], received: [] };
  let queue: number[] = [];
  let state: 'open' | 'closed' | 'aborted' = 'open';
  const settle = () => {
    for (const [at, got] of outcomes.received.entries()) {
      if (got === 'waiting' && queue.length > 0) outcomes.received[at] = queue.shift() ?? 'end';
      else if (got === 'waiting' && state !== 'open') outcomes.received[at] = 'end';
    }
    for (const id of queue.slice(0, capacity)) outcomes.sent[id] = 'accepted';
  };
  for (const step of steps) {
    if (step === 'receive') outcomes.received.push('waiting');
    else if (step === 'send') {
      const id = outcomes.sent.push(state === 'open' ? 'waiting' : 'refused') - 1;
      if (state === 'open') queue.push(id);
      // A waiting receiver takes it at once.
      if (state === 'open' && outcomes.received.includes('waiting')) outcomes.sent[id] = 'accepted';
    } else if (step === 'close') state = state === 'open' ? 'closed' : state;
    else {
      for (const [id, end] of outcomes.sent.entries()) if (end === 'waiting') outcomes.sent[id] = 'refused';
      queue = [];
      state = 'aborted';
    }
    settle();
  }
  return outcomes;
}

test('Channel behaves as its model does, for sends, receives, close() and abort() in any order', async () => {
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
