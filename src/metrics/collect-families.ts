import type { Family, Sample } from './family.ts';

/** How a collector stands; the parts of it that are needed here. `undefined` before it has begun. */
export interface CollectSource {
  progress(): CollectProgress | undefined;
  readonly isComplete: boolean;
  /** URLs whose results came in this process, and were not in its file before. */
  readonly taken: number;
  /** All of the run, once the list has come to its end. */
  readonly total: { readonly chunks: number; readonly urls: number } | undefined;
}

export interface CollectProgress {
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
  readonly duplicates: number;
  readonly oldest: number;
}

export function collectFamilies(collect: CollectSource): readonly Family[] {
  return [
    {
      type: 'counter',
      name: 'fanout_collect_urls_total',
      help: 'URLs whose results this process took from the log.',
      read: () => collect.taken,
    },
    {
      type: 'counter',
      name: 'fanout_collect_duplicate_chunks_total',
      help: 'Results of chunks that had some already, and were dropped by this process.',
      read: () => collect.progress()?.duplicates ?? 0,
    },
    {
      type: 'gauge',
      name: 'fanout_run_urls_done',
      help: 'URLs of the run with a result, by verdict, those of earlier collectors included.',
      labels: ['verdict'],
      read: () => verdicts(collect.progress()),
    },
    {
      type: 'gauge',
      name: 'fanout_run_urls',
      help: 'URLs of the run; not there before the list has come to its end.',
      read: () => collect.total?.urls,
    },
    ...chunkFamilies(collect),
    {
      type: 'gauge',
      name: 'fanout_run_complete',
      help: '1 when each chunk of the run has its results, 0 before.',
      read: () => (collect.isComplete ? 1 : 0),
    },
  ];
}

function chunkFamilies(collect: CollectSource): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_run_chunks_done',
      help: 'Chunks of the run that are finished.',
      read: () => collect.progress()?.chunks,
    },
    {
      type: 'gauge',
      name: 'fanout_run_chunks',
      help: 'Chunks of the run; not there before the list has come to its end.',
      read: () => collect.total?.chunks,
    },
    {
      type: 'gauge',
      name: 'fanout_run_oldest_unfinished_chunk',
      help: 'The lowest chunk without a result; one that stays while others finish is in trouble.',
      read: () => (collect.isComplete ? undefined : collect.progress()?.oldest),
    },
  ];
}

function verdicts(progress: CollectProgress | undefined): readonly Sample[] {
  if (progress === undefined) return [];
  return [
    { labels: { verdict: 'ok' }, value: progress.ok },
    { labels: { verdict: 'failed' }, value: progress.failed },
  ];
}
