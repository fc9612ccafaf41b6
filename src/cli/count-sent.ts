import type { EncodedChunk, QueueEngine } from '../broker/queue-engine.ts';
import type { Tally } from '../input/job-maker.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Shows how far the feeding is; gives what is to be told of each chunk that was sent. */
export function countSent(
  metrics: Metrics,
  engine: QueueEngine,
  tally: Readonly<Tally>,
): (chunk: EncodedChunk) => void {
  const sent = { chunks: 0, urls: 0 };
  metrics.watchBroker(engine, { hasQueue: true });
  metrics.watchFeed({
    read: () => tally.read,
    skipped: () => tally.skipped,
    sentChunks: () => sent.chunks,
    sentUrls: () => sent.urls,
  });
  return ({ count }) => {
    sent.chunks += 1;
    sent.urls += count;
  };
}
