import { FAILURE_KINDS, type FailureKind } from '../model/failure.ts';
import type { Result } from '../model/result.ts';
import type { Family, Sample } from './family.ts';

/** How a worker stands; the parts of it that are needed here. */
export interface WorkSource {
  /** Requests under way. */
  readonly inFlight: number;
  /** Chunks that it is at, whose results are in the log, and that came after they had been handed out before. */
  readonly chunks: Readonly<Record<'inHand' | 'finished' | 'redelivered', number>>;
  hosts(): { readonly known: number; readonly parked: number };
}

/** Counts the results of a worker. */
export class WorkCounts {
  readonly #failed = new Map<FailureKind, number>(FAILURE_KINDS.map((kind) => [kind, 0]));
  readonly #observe: (seconds: number) => void;
  #ok = 0;
  #attempts = 0;
  #bytes = 0;

  /** `observe` is told how long each last attempt took. */
  constructor(observe: (seconds: number) => void) {
    this.#observe = observe;
  }

  take({ ok, failure, attempts, bytes, durationMs }: Result): void {
    if (ok) this.#ok += 1;
    else this.#failed.set(failure.kind, (this.#failed.get(failure.kind) ?? 0) + 1);
    this.#attempts += attempts;
    this.#bytes += bytes;
    if (attempts > 0) this.#observe(durationMs / 1000);
  }

  /** The kinds are all there from the start: a rate would not see the first of a new one. */
  families(): readonly Family[] {
    return [
      {
        type: 'counter',
        name: 'fanout_work_urls_total',
        help: 'URLs with a result, by verdict (ok or failed) and kind of the failure.',
        labels: ['verdict', 'kind'],
        read: (): readonly Sample[] => [
          { labels: { verdict: 'ok', kind: 'none' }, value: this.#ok },
          ...[...this.#failed].map(([kind, value]) => ({ labels: { verdict: 'failed', kind }, value })),
        ],
      },
      {
        type: 'counter',
        name: 'fanout_work_attempts_total',
        help: 'Attempts for these URLs, redirect hops not counted.',
        read: () => this.#attempts,
      },
      {
        type: 'counter',
        name: 'fanout_work_received_bytes_total',
        help: 'Bytes of the bodies of these URLs, decoded, as far as they were read.',
        read: () => this.#bytes,
      },
    ];
  }
}

export function workFamilies(work: WorkSource): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_work_requests_in_flight',
      help: 'Requests under way.',
      read: () => work.inFlight,
    },
    {
      type: 'gauge',
      name: 'fanout_work_chunks_in_hand',
      help: 'Chunks that this worker is at.',
      read: () => work.chunks.inHand,
    },
    {
      type: 'counter',
      name: 'fanout_work_chunks_finished_total',
      help: 'Chunks whose results this worker put into the log.',
      read: () => work.chunks.finished,
    },
    {
      type: 'counter',
      name: 'fanout_work_chunks_redelivered_total',
      help: 'Chunks that this worker got after they had been handed out before.',
      read: () => work.chunks.redelivered,
    },
    {
      type: 'gauge',
      name: 'fanout_work_hosts',
      help: 'Hosts that are remembered, and those of them that get nothing for now (a pause or an open breaker).',
      labels: ['state'],
      read() {
        const { known, parked } = work.hosts();
        return [
          { labels: { state: 'known' }, value: known },
          { labels: { state: 'parked' }, value: parked },
        ];
      },
    },
  ];
}
