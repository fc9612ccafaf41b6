import { type FeederParts, feed } from './feeder.ts';
import { pause } from './persist.ts';
import { FED_KEY, type RunEnd } from './run-end.ts';
import { type RunStop, refuseStopped, untilStopped } from './run-stop.ts';

const BEAT_MS = 1000;

export interface StoppableFeed extends Omit<FeederParts, 'signal'> {
  /** Ends the reading of the list: also aborted here, when the run is stopped. */
  readonly reading: AbortController;
  /** How many jobs the whole list has, if that can be known. */
  readonly count: (signal: AbortSignal) => Promise<number | undefined>;
  /** Ends the counting. */
  readonly leaving: AbortSignal;
}

/** What became of the sending: the end of the list, the stop of the run, or neither when the reading was ended by the caller. */
export interface FeedOutcome {
  readonly end?: RunEnd | undefined;
  readonly stop?: RunStop | undefined;
}

/** Sends a list until it ends or the run is stopped. Then the collector is told how long the whole list is. */
export async function feedUntilStopped(parts: StoppableFeed): Promise<FeedOutcome> {
  const { engine, reading } = parts;
  await refuseStopped(engine, 'feed');
  const watching = new AbortController();
  let stop: RunStop | undefined;
  untilStopped(engine, watching.signal).then((found) => {
    stop = found;
    if (found !== undefined) reading.abort();
  });
  try {
    const end = await feed({ ...parts, signal: reading.signal });
    if (end !== undefined) return { end };
    if (stop !== undefined) await tellTheRest(parts);
    return { stop };
  } finally {
    watching.abort();
  }
}

/** A long list takes long to count, so there are signs of life meanwhile. */
async function tellTheRest({ engine, tally, count, leaving }: StoppableFeed): Promise<void> {
  const { read, skipped } = tally;
  const chunks = await engine.published();
  const counted = new AbortController();
  const beating = (async () => {
    for (let counting = 1; !counted.signal.aborted; counting++) {
      await engine.setState(FED_KEY, { chunks, read, skipped, counting });
      await pause(BEAT_MS, counted.signal);
    }
  })();
  const total = await count(leaving).finally(() => counted.abort());
  await beating;
  await engine.setState(FED_KEY, { chunks, read, skipped, total, isLast: true });
}
