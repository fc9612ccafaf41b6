import type { Sink } from '../collect/sink.ts';

/** `--quiet`: hands on the failures alone. */
export function quiet(sink: Sink): Sink {
  return {
    write: (result) => (result.ok ? undefined : sink.write(result)),
    end: (summary) => sink.end(summary),
  };
}
