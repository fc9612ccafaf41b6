import type { Sink } from '../collect/sink.ts';

/** Passes on what this run has fetched, without what the journal had already. */
export function fresh(sink: Sink): Sink {
  return {
    write: (result) => (result.isResumed ? undefined : sink.write(result)),
    end: (summary) => sink.end(summary),
  };
}
