import { AccountingError } from '../model/errors.ts';
import { encodeRecord } from '../model/record.ts';
import type { Result } from '../model/result.ts';
import { decodeSegment, encodeSegment, type ShardSegment } from '../model/result-line.ts';
import { Bitmap, encodeCollectorState, MAX_CHUNKS } from './bitmap.ts';
import { pause } from './broker-connection.ts';
import type { LogEntry } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { DEAD_CODE } from './poison-urls.ts';
import { SegmentReader, unpackResults } from './result-log.ts';
import {
  COMPLETE_KEY,
  END_KEY,
  endFrom,
  lastStop,
  liftStop,
  type RunEnd,
  type StopReason,
} from './run-state.ts';
import type { ShardReader } from './shards.ts';
import {
  type FeedProgress,
  type ListCounts,
  listCounts,
  readFeedProgress,
  StopCoordinator,
} from './stop-coordinator.ts';

const POLL_INTERVAL_MS = 200;

/** How long chunks have been missing before there is a warning. */
const SHORT_MS = 3000;

/** How many commits are remembered of which there was a warning. */
const MAX_WARNED = 10_000;

/** The results of a commit that are only counted. */
export interface CountedCommit {
  readonly ok: number;
  readonly failed: number;
  /** Where they are, if it is in a shard. */
  readonly segment?: ShardSegment | undefined;
}

/** The results of a commit, for those who keep them. */
export interface KeptCommit {
  /** As in the log: packed results, or a segment. */
  readonly body: Uint8Array;
  /** Its lines in a manifest. */
  readonly lines: () => readonly string[];
  /** The lowest index of the results. */
  readonly first: number;
}

interface CollectorOptions {
  readonly engine: JetStreamEngine;
  /** Only count the results, from the headers of the log. */
  readonly headersOnly: boolean;
  /** Reads the results that workers write into shards. If unset, they are only counted. */
  readonly shards?: ShardReader | undefined;
  /** Called with results that are only counted: they are not among `results`. */
  readonly onCounted: (counted: CountedCommit) => void;
  /** Called with each commit that was taken, unless `headersOnly` is set. */
  readonly onTaken: (commit: KeptCommit) => Promise<void>;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Ends the collecting before the run is complete. */
  readonly signal: AbortSignal;
}

/**
 * Reads the results of a run from the log, from its beginning: one commit of each chunk. It keeps nothing, so it can be killed and
 * started elsewhere, and several of them can read one run.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #ending = new AbortController();
  readonly #commits: CommitReader;
  readonly #dead = new Set<number>();
  #hasUnreadFailures = false;
  #ok = 0;
  #failed = 0;
  #end: RunEnd | undefined;
  #feed: FeedProgress | undefined;
  #isReadingLog = false;
  #stop: StopCoordinator | undefined;
  #error: unknown;
  #hasWarnedShort = false;
  /** The number of chunks of the list that are known. */
  #known = 0;
  /** The lowest chunk with a commit that is not among them. A broker that has lost its data may know less than before. */
  #unknown = Number.POSITIVE_INFINITY;

  constructor(options: CollectorOptions) {
    const { engine, shards, onCounted, warn, signal } = options;
    this.#options = options;
    this.#commits = new CommitReader({
      ...options,
      maxCount: engine.settings.chunk,
      segments: shards && new SegmentReader({ shards, warn, signal: this.#ending.signal }),
      onCounted: (counted) => {
        this.#ok += counted.ok;
        this.#failed += counted.failed;
        if (counted.failed > 0) this.#hasUnreadFailures = true;
        onCounted(counted);
      },
    });
    const end = () => this.#ending.abort();
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }

  /** The end of the run, once it is known. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  get isComplete(): boolean {
    return this.#end !== undefined && this.#commits.done.count >= this.#end.chunks;
  }

  get isStopping(): boolean {
    return this.#stop !== undefined;
  }

  /** URLs whose results were taken. */
  get taken(): number {
    return this.#ok + this.#failed;
  }

  progress(): CollectorProgress {
    const { done } = this.#commits;
    return { chunks: done.count, ok: this.#ok, failed: this.#failed, oldest: done.firstClear };
  }

  /** The counts of the whole list after the last result, of which `finished` are OK or failed, and `cutOff` were not fetched. */
  listCounts(finished: number, cutOff: number): ListCounts {
    const counts = listCounts({ end: this.#end, feed: this.#stop?.feed ?? this.#feed }, finished);
    // In a complete run every URL has a result: counts that do not add up must show.
    return this.isComplete ? { ...counts, notFetched: cutOff } : counts;
  }

  /** Continues the run if it was stopped. Resolves to the failures before that stop, which must not stop it again. */
  async start(): Promise<number> {
    const { engine } = this.#options;
    const { done, refused } = this.#commits;
    const state = () => ({
      done,
      refused: [...refused.keys()].filter((chunk) => chunk < this.#known && !done.has(chunk)),
      ok: this.#ok,
      failed: this.#failed,
    });
    engine.serveCollector(() => encodeCollectorState(state()), this.#ending.signal);
    return liftStop(engine);
  }

  /**
   * Stops the whole run before the end of its list: `results` then ends with what is in flight. `failures` returns the current
   * number of failures.
   */
  stopRun(reason: StopReason, failures: () => number, isFollowed = false): void {
    if (this.#stop !== undefined || this.isComplete) return;
    const isEndKnown = () => this.#end !== undefined;
    this.#stop = new StopCoordinator({ ...this.#options, reason, failures, isFollowed, isEndKnown });
    // While the broker is away this waits; it fails only if the connection is closed first.
    this.#stop.announce().catch(() => {});
    if (this.#isReadingLog) this.#endAfterStop();
  }

  /** The results of the log, until the run is complete or the signal aborts. */
  async *results(): AsyncGenerator<Result, void, void> {
    const { engine, headersOnly, signal, warn } = this.#options;
    const onRestart = () => {
      this.#commits.forgetRefused();
      warn(
        `the broker has lost data of this run: ${this.#commits.done.count} chunks were collected before; if "fanout cluster status" says INCOMPLETE, run "fanout cluster feed --reconcile" with the same inputs`,
      );
    };
    this.#isReadingLog = true;
    this.#endAfterStop();
    const maintenance = this.#maintain();
    const entries = engine.log.entries({ signal: this.#ending.signal, headersOnly, onRestart });
    try {
      for await (const entry of entries) {
        for (const result of await this.#take(entry)) yield this.#count(result);
        if (this.#ending.signal.aborted) break;
      }
      for await (const results of this.#leftResults())
        for (const result of results) yield this.#count(result);
    } finally {
      this.#ending.abort();
      // After a signal or a stop, do not wait for a broker that may be away.
      if (!signal.aborted && !this.isStopping) await maintenance;
    }
    if (this.#error !== undefined) throw this.#error;
    if (this.isComplete) await this.#completeRun();
  }

  async #take(entry: LogEntry): Promise<readonly Result[]> {
    if (entry.chunk >= this.#known && this.#end === undefined) await this.#readFeed();
    if (entry.chunk < this.#known) return this.#commits.take(entry);
    if (this.#end === undefined) this.#unknown = Math.min(this.#unknown, entry.chunk);
    else this.#commits.refuse(entry, `the run has ${this.#known} chunks`);
    return [];
  }

  /** Reads how much of the list was sent. Commits that were passed over until that was known are read again. */
  async #readFeed(): Promise<void> {
    const { engine } = this.#options;
    this.#end ??= endFrom(await engine.state(END_KEY));
    if (this.#end === undefined) this.#feed = (await readFeedProgress(engine)) ?? this.#feed;
    this.#known = this.#end?.chunks ?? Math.max(this.#known, this.#feed?.chunks ?? 0);
    if (this.#unknown >= this.#known && this.#end === undefined) return;
    if (this.#unknown < Number.POSITIVE_INFINITY) engine.log.rewind();
    this.#unknown = Number.POSITIVE_INFINITY;
  }

  #endAfterStop(): void {
    this.#stop?.untilHandedIn(this.#ending.signal).then(() => this.#ending.abort());
  }

  /** After a stop, the results of chunks that workers could not finish. */
  async *#leftResults(): AsyncGenerator<readonly Result[], void, void> {
    const { engine } = this.#options;
    const stop = this.#stop;
    if (stop === undefined || this.isComplete || !stop.isBrokerHeard) return;
    await stop.updateFailures();
    for await (const left of engine.leftChunks(0)) {
      if (left.count > 0 && !this.#commits.done.has(left.chunk))
        yield await this.#commits.takeLeft(left.body);
    }
  }

  /** Looks for the end of the run and for a stop, on a timer: they come without a commit. */
  async #maintain(): Promise<void> {
    const { engine, now } = this.#options;
    const { signal } = this.#ending;
    let shortSince = Number.POSITIVE_INFINITY;
    try {
      while (!signal.aborted) {
        if (this.#end === undefined) await this.#readFeed();
        if (this.isComplete) break;
        const stop = await lastStop(engine);
        if (stop?.isOver === false) this.stopRun(stop, () => stop.failures, true);
        const shortness = await this.#shortness();
        if (shortness === undefined) shortSince = Number.POSITIVE_INFINITY;
        else if (shortSince > now()) shortSince = now();
        else if (now() - shortSince > SHORT_MS) {
          this.#warnShort(shortness);
          if (shortness === 'over') break;
        }
        await pause(POLL_INTERVAL_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#error = error;
    }
    this.#ending.abort();
  }

  /**
   * Whether chunks have no results although the log was read and nothing is left to do for workers: the broker has lost data, or a
   * commit cannot be read. It is `over` if another collector has completed the run.
   */
  async #shortness(): Promise<'over' | 'short' | undefined> {
    if (this.#end === undefined || this.isStopping) return undefined;
    const { engine } = this.#options;
    const stats = await engine.stats().catch(() => undefined); // the broker is away, or has lost the streams
    if (stats === undefined || engine.log.position < stats.lastCommit) return undefined;
    if ((await engine.state(COMPLETE_KEY)) === true) return 'over';
    return stats.queued + stats.inFlight === 0 ? 'short' : undefined;
  }

  #warnShort(shortness: 'over' | 'short'): void {
    const { warn } = this.#options;
    const left = (this.#end?.chunks ?? 0) - this.#commits.done.count;
    if (shortness === 'over') {
      warn(
        `another collector has completed this run with the results of ${left} chunks that cannot be read here, or that the broker has lost since: its outputs are complete, and these are not`,
      );
    } else if (!this.#hasWarnedShort) {
      warn(
        `${left} chunks have no results, and no worker has them: run "fanout cluster feed --reconcile" with the same inputs, and workers`,
      );
    }
    this.#hasWarnedShort = true;
  }

  async #completeRun(): Promise<void> {
    const { engine } = this.#options;
    if (this.taken !== this.#end?.jobs) {
      throw new AccountingError(
        `the chunks of this run have ${this.taken} results, and its list has ${this.#end?.jobs} URLs: start the collector again, which reads all of them again`,
      );
    }
    if (await this.#isMissedElsewhere(this.#end.chunks)) return;
    // A URL that one worker gave up may have been fetched by another one that was thought dead: the results decide.
    if (!this.#hasUnreadFailures) await engine.retainDeadLetters(this.#dead);
    if (this.isStopping) await liftStop(engine);
    await engine.setState(COMPLETE_KEY, true);
  }

  /** Whether the broker has lost results that are here, and another running collector does not have: then workers are still needed. */
  async #isMissedElsewhere(chunks: number): Promise<boolean> {
    const { engine } = this.#options;
    const stats = await engine.stats().catch(() => undefined); // the broker is away
    if (stats === undefined || stats.committed >= chunks) return false;
    const others = await engine.askCollectors();
    return others === 'silent' || others.some(({ done }) => done.count < chunks);
  }

  #count(result: Result): Result {
    if (result.ok) this.#ok += 1;
    else this.#failed += 1;
    if (result.failure?.code === DEAD_CODE) this.#dead.add(result.index);
    return result;
  }
}

export interface CollectorProgress {
  /** Chunks whose results were taken. */
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
  /** The lowest chunk without results. */
  readonly oldest: number;
}

interface CommitReaderOptions
  extends Pick<CollectorOptions, 'headersOnly' | 'onCounted' | 'onTaken' | 'warn'> {
  /** The most results of a chunk. */
  readonly maxCount: number;
  /** Reads segments. If unset, they are only counted. */
  readonly segments?: SegmentReader | undefined;
}

/** Reads the commits of the log: the first valid one of each chunk, and no other. */
export class CommitReader {
  readonly #options: CommitReaderOptions;
  /** The chunks whose results were taken. */
  readonly done = new Bitmap();
  /** The sequence numbers of commits that cannot be read, by chunk. */
  readonly refused = new Map<number, number>();
  /** The sequence numbers of commits of which there was a warning. */
  readonly #warned = new Set<number>();

  constructor(options: CommitReaderOptions) {
    this.#options = options;
  }

  /** The results of a commit, unless its chunk has some. */
  async take(entry: LogEntry): Promise<readonly Result[]> {
    const { headersOnly, segments, onCounted, onTaken } = this.#options;
    const { chunk, ok, failed, sequence, isReplacement } = entry;
    if (this.done.has(chunk)) {
      if (isReplacement) this.#warn(entry, 'they have replaced wrong ones, which were taken before');
      return [];
    }
    if (this.refused.get(chunk) === sequence) return [];
    const content = this.#read(entry);
    if (content === undefined) {
      this.refuse(entry, 'they are damaged; "fanout cluster feed --reconcile" sends the chunk again');
      return [];
    }
    const { segment, kept } = content;
    const isRead = !headersOnly && (segment === undefined || segments !== undefined);
    const results = segment === undefined ? content.results : await segments?.read(segment);
    if (isRead && results === undefined) {
      this.refused.set(chunk, sequence); // the reader has warned
      return [];
    }
    this.done.set(chunk);
    this.#warned.add(sequence);
    if (kept !== undefined) await onTaken(kept);
    if (!isRead) onCounted({ ok, failed, segment });
    return isRead ? (results ?? []) : [];
  }

  /** The log begins again, with the same sequence numbers. */
  forgetRefused(): void {
    this.refused.clear();
    this.#warned.clear();
  }

  /** The results of a chunk that is not finished. */
  async takeLeft(body: Uint8Array): Promise<readonly Result[]> {
    const { maxCount, onTaken } = this.#options;
    const results = unpackResults(body, maxCount) ?? [];
    if (results.length > 0) await onTaken(kept(body, results));
    return results;
  }

  /** Does not take a commit, with a warning. */
  refuse(entry: LogEntry, reason: string): void {
    this.refused.set(entry.chunk, entry.sequence);
    this.#warn(entry, reason);
  }

  /** Warns once of each commit: after a lost connection, the last ones are read again. */
  #warn({ chunk, sequence }: LogEntry, reason: string): void {
    if (this.#warned.has(sequence)) return;
    if (this.#warned.size >= MAX_WARNED) this.#warned.clear();
    this.#warned.add(sequence);
    this.#options.warn(`ignored results of chunk ${chunk}: ${reason}`);
  }

  /** What a commit contains; `undefined` if it is not what its headers say. */
  #read(entry: LogEntry): CommitContent | undefined {
    const { headersOnly, maxCount } = this.#options;
    const { kind, chunk, ok, failed, body } = entry;
    const count = ok + failed;
    if (chunk >= MAX_CHUNKS || count > maxCount || count === 0) return undefined;
    if (headersOnly) return {};
    if (kind === 'segment') {
      const segment = decodeSegment(Buffer.from(body).toString());
      if (segment === undefined || 'broken' in segment) return undefined;
      if (segment.chunk !== chunk || segment.ok !== ok || segment.failed !== failed) return undefined;
      return { segment, kept: { body, lines: () => [encodeSegment(segment)], first: segment.first } };
    }
    const results = unpackResults(body, count);
    if (results?.length !== count || results.filter((result) => result.ok).length !== ok) return undefined;
    return { results, kept: kept(body, results) };
  }
}

function kept(body: Uint8Array, results: readonly Result[]): KeptCommit {
  return { body, lines: () => results.map(encodeRecord), first: results[0]?.index ?? 0 };
}

interface CommitContent {
  readonly results?: readonly Result[];
  readonly segment?: ShardSegment;
  readonly kept?: KeptCommit;
}
