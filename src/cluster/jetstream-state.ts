import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { DeadLetter } from './chunk.ts';
import { isMissing, type RunNames } from './jetstream-setup.ts';

export interface StateParts {
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly names: RunNames;
}

/** The last word on each key of a run, as JSON. */
export class JetStreamState {
  readonly #parts: StateParts;

  constructor(parts: StateParts) {
    this.#parts = parts;
  }

  /** What a key holds; `undefined` when there is no such key, no such run, or no JSON in it. */
  async get(key: string): Promise<unknown> {
    const { manager, names } = this.#parts;
    try {
      const message = await manager.streams.getMessage(names.state, {
        last_by_subj: names.stateSubject(key),
      });
      return message === null ? undefined : parsed(message.string());
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async set(key: string, value: unknown): Promise<void> {
    const { client, names } = this.#parts;
    await client.publish(names.stateSubject(key), JSON.stringify(value));
  }

  /** Sets a key that has no value yet; whether it had none. */
  async setFirst(key: string, value: unknown): Promise<boolean> {
    const { client, names } = this.#parts;
    try {
      await client.publish(names.stateSubject(key), JSON.stringify(value), {
        expect: { lastSubjectSequence: 0 },
      });
      return true;
    } catch (error) {
      if ((await this.get(key)) !== undefined) return false;
      throw error;
    }
  }

  async addDeadLetter(letter: DeadLetter): Promise<void> {
    const { client, names } = this.#parts;
    await client.publish(names.deadSubject(String(letter.index)), JSON.stringify(letter));
  }

  async retainDeadLetters(indexes: ReadonlySet<number>): Promise<void> {
    const { manager, names } = this.#parts;
    for await (const { index } of this.deadLetters()) {
      if (indexes.has(index)) continue;
      await manager.streams.purge(names.dead, { filter: names.deadSubject(String(index)) });
    }
  }

  async *deadLetters(): AsyncGenerator<DeadLetter, void, void> {
    const { manager, names } = this.#parts;
    const { state } = await manager.streams.info(names.dead);
    // An empty stream begins at 0, which is no message.
    for (let sequence = Math.max(1, state.first_seq); sequence <= state.last_seq; sequence++) {
      const message = await manager.streams.getMessage(names.dead, { seq: sequence });
      const letter = message === null ? undefined : letterFrom(parsed(message.string()));
      if (letter !== undefined) yield letter;
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function letterFrom(value: unknown): DeadLetter | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { index, job, reason }: { index?: unknown; job?: unknown; reason?: unknown } = value;
  return Number.isSafeInteger(index) && typeof reason === 'string'
    ? { index: Number(index), job, reason }
    : undefined;
}
