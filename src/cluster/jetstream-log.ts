import type { JsMsg } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { UsageError } from '../model/errors.ts';
import { pause, retryUntilBack, throwIfGone } from './broker-connection.ts';
import type { Commit, LogEntry } from './chunk.ts';
import {
  apiErrorCode,
  type BrokerRun,
  isMissing,
  messageFault,
  messageHeaders,
  numberHeader,
  WRONG_LAST_SEQUENCE,
} from './jetstream-setup.ts';
import { openLiveReader, readAll } from './stream-reader.ts';

const PAUSE_MS = 250;

/**
 * Commits that are read once more after a connection was lost: a broker that was killed may have lost the last ones, and others have
 * their numbers since.
 */
const OVERLAP = 1000;

interface LogParts extends BrokerRun {
  /** Recreates what is missing of the run on the broker. */
  readonly ensure: () => Promise<void>;
  readonly warn: (text: string) => void;
  /** Reports an error of the broker that is not over after several tries. */
  readonly report: (error: unknown) => void;
}

interface EntriesOptions {
  readonly signal: AbortSignal;
  /** Leave out the bodies. */
  readonly headersOnly: boolean;
  /** Called when the log begins again, because the broker has lost its data. */
  readonly onRestart: () => void;
}

/**
 * The stream of commits: a subject for each chunk, with one message at most. The broker takes only the first commit of a chunk, so
 * the number of messages is the number of finished chunks. Nothing is deleted before the run is purged.
 */
export class JetStreamLog {
  readonly #parts: LogParts;
  #position = 0;
  #isRewound = false;
  #endReader: () => void = () => {};

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  /** The sequence number of the last message that the reader of `entries` is done with. */
  get position(): number {
    return this.#position;
  }

  /**
   * Resolves to `true` when the commit is stored, and to `false` if its chunk has one. Waits while the broker is away or full. A
   * message that cannot be the commit of this chunk is replaced.
   */
  async append(commit: Commit, signal: AbortSignal): Promise<boolean> {
    const { client, names, ensure, report, warn } = this.#parts;
    const subject = names.logSubject(commit.chunk);
    const headers = messageHeaders(this.#parts, {
      'Fanout-Ok': String(commit.ok),
      'Fanout-Failed': String(commit.failed),
      'Fanout-Worker': commit.worker,
      ...(commit.kind === 'segment' ? { 'Fanout-Kind': 'segment' } : {}),
    });
    for (let lastSubjectSequence = 0; ; ) {
      const publish = () =>
        client.publish(subject, commit.body, { headers, expect: { lastSubjectSequence } });
      const isTransient = (error: unknown) => apiErrorCode(error) !== WRONG_LAST_SEQUENCE;
      try {
        await retryUntilBack(publish, { signal, isTransient, repair: ensure, report });
        return true;
      } catch (error) {
        if (isTransient(error)) throw error;
      }
      const found = await retryUntilBack(() => this.#find(subject), { signal, repair: ensure, report });
      const fault = found && this.#faultOf(found.headers, commit);
      if (found !== undefined && fault === undefined) return false;
      if (fault !== undefined) {
        warn(`replaced a message among the results of chunk ${commit.chunk}: ${fault}`);
        headers.set('Fanout-Replaces', String(found?.sequence));
      }
      lastSubjectSequence = found?.sequence ?? 0;
    }
  }

  /** Lets `entries` begin again with the first commit. */
  rewind(): void {
    this.#isRewound = true;
    this.#endReader();
  }

  /**
   * All commits from the first on, as they come, until the signal. After a loss of data they begin again, so a commit may come more
   * than once. Throws a `UsageError` if a newer fanout wrote one.
   */
  async *entries({ signal, headersOnly, onRestart }: EntriesOptions): AsyncGenerator<LogEntry, void, void> {
    const { manager, names, ensure } = this.#parts;
    let known = '';
    while (!signal.aborted) {
      try {
        const { created, state } = await manager.streams.info(names.log);
        const isRestarted = (known !== '' && known !== created) || state.last_seq < this.#position;
        if (isRestarted) onRestart();
        known = created;
        const after = isRestarted || this.#isRewound ? 0 : Math.max(0, this.#position - OVERLAP);
        this.#isRewound = false;
        const reader = await openLiveReader(this.#parts, { stream: names.log, after, headersOnly, signal });
        this.#endReader = reader.close;
        try {
          for await (const message of reader.messages) {
            const entry = this.#toEntry(message);
            if (entry !== undefined) yield entry;
            this.#position = message.seq;
            if (signal.aborted) return;
            if (this.#isRewound) break;
          }
        } finally {
          reader.close();
        }
      } catch (error) {
        // The broker is away, or has lost the stream.
        if (error instanceof UsageError) throw error;
        if (isMissing(error)) await ensure().catch(throwIfGone);
      }
      if (!signal.aborted) await pause(PAUSE_MS, signal);
    }
  }

  /** The commits that the log has now behind this sequence number, without their bodies. */
  async *committed(after = 0): AsyncGenerator<LogEntry, void, void> {
    const { names } = this.#parts;
    for await (const message of readAll(this.#parts, { stream: names.log, after, headersOnly: true })) {
      const entry = this.#toEntry(message);
      if (entry !== undefined) yield entry;
    }
  }

  /** Deletes a commit whose results cannot be read: the chunk can then get another one. */
  async remove(sequence: number): Promise<void> {
    const { manager, names } = this.#parts;
    await manager.streams.deleteMessage(names.log, sequence, false);
  }

  async #find(
    subject: string,
  ): Promise<{ readonly sequence: number; readonly headers: MsgHdrs } | undefined> {
    const { manager, names } = this.#parts;
    const message = await manager.streams.getMessage(names.log, { last_by_subj: subject });
    return message === null ? undefined : { sequence: message.seq, headers: message.header };
  }

  /** Why a message cannot be the commit of a chunk; `undefined` if it can. */
  #faultOf(headers: MsgHdrs, { ok, failed }: Commit): string | undefined {
    const fault = messageFault(headers, this.#parts.names);
    if (fault !== undefined) return fault.isNewer ? undefined : fault.fault;
    const count = (numberHeader(headers, 'Fanout-Ok') ?? 0) + (numberHeader(headers, 'Fanout-Failed') ?? 0);
    return count === ok + failed ? undefined : `it has ${count} results, and the chunk has ${ok + failed}`;
  }

  /** A message of the log; `undefined`, with a warning, if it does not belong to this run. */
  #toEntry(message: JsMsg): LogEntry | undefined {
    const { headers, subject, seq: sequence, data: body } = message;
    const number = subject.slice(subject.lastIndexOf('.') + 1);
    const chunk = /^\d{1,15}$/.test(number) ? Number(number) : undefined;
    const ok = numberHeader(headers, 'Fanout-Ok');
    const failed = numberHeader(headers, 'Fanout-Failed');
    const fault = messageFault(headers, this.#parts.names);
    if (fault?.isNewer) {
      throw new UsageError(`cannot read the results of chunk ${number}: ${fault.fault}; update this fanout`);
    }
    if (fault !== undefined || chunk === undefined || ok === undefined || failed === undefined) {
      this.#parts.warn(`ignored a message among the results: ${fault?.fault ?? 'it has no number'}`);
      return undefined;
    }
    const kind = headers?.get('Fanout-Kind') === 'segment' ? 'segment' : 'results';
    const worker = headers?.get('Fanout-Worker') ?? '';
    const isReplacement = headers?.has('Fanout-Replaces') === true;
    const timeMs = message.info.timestampNanos / 1e6;
    return { kind, chunk, ok, failed, worker, body, sequence, timeMs, isReplacement };
  }
}
