import type { Family } from './family.ts';

/** What whoever feeds a run has counted, since this process began. */
export interface FeedCounts {
  /** Jobs that were read, and those of them that were left out on purpose. */
  readonly read: () => number;
  readonly skipped: () => number;
  /** What the broker has confirmed. */
  readonly sentChunks: () => number;
  readonly sentUrls: () => number;
}

export function feedFamilies({ read, skipped, sentChunks, sentUrls }: FeedCounts): readonly Family[] {
  return [
    counter('fanout_feed_urls_read_total', 'URLs read from the inputs.', read),
    counter('fanout_feed_urls_skipped_total', 'URLs read and left out, as --unique does.', skipped),
    counter('fanout_feed_chunks_sent_total', 'Chunks that this process sent to the broker.', sentChunks),
    counter('fanout_feed_urls_sent_total', 'URLs in the chunks that this process sent.', sentUrls),
  ];
}

function counter(name: string, help: string, read: () => number): Family {
  return { type: 'counter', name, help, read };
}
