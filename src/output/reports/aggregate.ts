import { bodyLength, failsRun, outcomeLabel, type Result, standingNotes } from '../../model/result.ts';
import { type Summary, SummaryFold } from '../../model/summary.ts';
import { hostOf } from '../../model/url.ts';
import { formatCount } from '../format.ts';

/** What a report says of results that are more than OK, the most urgent first. */
const SECTIONS = ['failed', 'flaky', 'known', 'warned', 'mended'] as const;

export type Section = (typeof SECTIONS)[number];

/** All that a report shows of one result, each text cut to a length that can be kept a thousand times. */
export interface Row {
  readonly ok: boolean;
  readonly label: string;
  readonly url: string;
  readonly finalUrl: string;
  /** Statuses of the redirects, the first ten: `301 302`. */
  readonly hops: string;
  /** Empty when the line was no URL. */
  readonly host: string;
  readonly source: string;
  readonly line: number;
  readonly message: string;
  readonly notes: readonly string[];
  readonly durationMs: number;
  readonly bytes: number;
}

/** The results of one section with one label: how many there are, and the first of them. */
export interface Group {
  readonly section: Section;
  readonly label: string;
  count: number;
  readonly rows: Row[];
}

/** How many rows are kept. */
interface SampleLimits {
  readonly section: number;
  readonly group: number;
}

/** Every group gets so many, whatever the others have taken. */
const ALWAYS = 20;
const MAX_URL = 500;
const MAX_TEXT = 300;
const MAX_HOPS = 10;

/** The section that a result belongs to; none for a plain OK. */
export function sectionOf(result: Result): Section | undefined {
  if (failsRun(result)) return 'failed';
  if (!result.ok) return result.baseline === 'known' ? 'known' : 'flaky';
  if (result.warning !== undefined) return 'warned';
  return result.baseline === 'mended' ? 'mended' : undefined;
}

/** Keeps the first results of each group, in memory that does not depend on the number of results. */
export class Samples {
  readonly #limits: SampleLimits;
  readonly #groups = new Map<string, Group>();
  readonly #kept = new Map<Section, number>();

  constructor(limits: SampleLimits) {
    this.#limits = limits;
  }

  add(result: Result): void {
    const section = sectionOf(result);
    if (section === undefined) return;
    const label = outcomeLabel(result);
    const key = `${section} ${label}`;
    const group = this.#groups.get(key) ?? { section, label, count: 0, rows: [] };
    if (group.count === 0) this.#groups.set(key, group);
    group.count += 1;
    const kept = this.#kept.get(section) ?? 0;
    const hasRoom = group.rows.length < this.#limits.group && kept < this.#limits.section;
    if (!hasRoom && group.rows.length >= ALWAYS) return;
    group.rows.push(rowOf(result));
    this.#kept.set(section, kept + 1);
  }

  /** Section by section, the largest group first, its rows by host and place. */
  groups(): readonly Group[] {
    const groups = [...this.#groups.values()].sort(
      (a, b) => SECTIONS.indexOf(a.section) - SECTIONS.indexOf(b.section) || b.count - a.count,
    );
    for (const { rows } of groups) rows.sort(byPlace);
    return groups;
  }
}

export function rowOf(result: Result): Row {
  const { ok, url, finalUrl, redirects, source, line, durationMs } = result;
  const trouble = result.failure ?? result.warning;
  return {
    ok,
    label: outcomeLabel(result),
    url: excerpt(url, MAX_URL),
    finalUrl: excerpt(finalUrl ?? '', MAX_URL),
    hops: redirects
      .slice(0, MAX_HOPS)
      .map(({ status }) => status)
      .join(' '),
    host: trouble?.kind === 'invalid' ? '' : excerpt(hostOf(url), MAX_TEXT),
    source: excerpt(source, MAX_TEXT),
    line,
    message: excerpt(trouble?.message ?? '', MAX_TEXT),
    notes: standingNotes(result),
    durationMs,
    bytes: bodyLength(result),
  };
}

/** The beginning of a text, as a text of its own: a slice would keep all of it in memory. */
function excerpt(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${Buffer.from(text.slice(0, maxLength)).toString()}…`;
}

function byPlace(a: Row, b: Row): number {
  return compare(a.host, b.host) || compare(a.source, b.source) || a.line - b.line;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The rows of the results that took longest, the slowest first; of equal ones the first that came. */
export class Slowest {
  readonly #limit: number;
  readonly #rows: Row[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(result: Result): void {
    const fastest = this.#rows.at(-1);
    const isFull = this.#rows.length >= this.#limit;
    if (isFull && fastest !== undefined && result.durationMs <= fastest.durationMs) return;
    const place = this.#rows.findIndex(({ durationMs }) => durationMs < result.durationMs);
    this.#rows.splice(place === -1 ? this.#rows.length : place, 0, rowOf(result));
    if (isFull) this.#rows.pop();
  }

  list(): readonly Row[] {
    return this.#rows;
  }
}

/** How many took from `fromMs` (included) to `toMs`; the last bucket has no end. */
export interface LatencyBucket {
  readonly fromMs: number;
  readonly toMs: number;
  ok: number;
  failed: number;
}

const BORDERS_MS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];

/** Counts of durations on a scale of 1, 2, 5, 10 and so on. */
export class LatencyBuckets {
  readonly #buckets: readonly LatencyBucket[] = BORDERS_MS.map((fromMs, index) => ({
    fromMs,
    toMs: BORDERS_MS[index + 1] ?? Number.POSITIVE_INFINITY,
    ok: 0,
    failed: 0,
  }));

  add(durationMs: number, ok: boolean): void {
    const bucket = this.#buckets.findLast(({ fromMs }) => durationMs >= fromMs);
    if (bucket === undefined) return;
    if (ok) bucket.ok += 1;
    else bucket.failed += 1;
  }

  /** Those between the first and the last that hold anything. */
  list(): readonly LatencyBucket[] {
    const isUsed = ({ ok, failed }: LatencyBucket) => ok + failed > 0;
    const first = this.#buckets.findIndex(isUsed);
    return first === -1 ? [] : this.#buckets.slice(first, this.#buckets.findLastIndex(isUsed) + 1);
  }
}

/** What ended in one span of time. */
export interface TimeBucket {
  /** In ms since the epoch. */
  readonly startMs: number;
  ok: number;
  failed: number;
}

const FIRST_WIDTH_MS = 10;

/**
 * Counts of what ended when, in at most `limit` buckets: the width doubles, and buckets merge in pairs, as the time grows.
 * The times may come in any order.
 */
export class TimeBuckets {
  readonly #limit: number;
  #widthMs = FIRST_WIDTH_MS;
  /** By their place since the epoch, so that two neighbours always merge into one. */
  #buckets = new Map<number, TimeBucket>();
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get widthMs(): number {
    return this.#widthMs;
  }

  /** @param atMs ms since the epoch */
  add(atMs: number, ok: boolean): void {
    const place = Math.floor(atMs / this.#widthMs);
    this.#first = Math.min(this.#first, place);
    this.#last = Math.max(this.#last, place);
    this.#count(place, ok ? 1 : 0, ok ? 0 : 1);
    while (this.#last - this.#first >= this.#limit) this.#widen();
  }

  /** Without gaps, the first first. */
  list(): readonly TimeBucket[] {
    if (this.#buckets.size === 0) return [];
    return Array.from({ length: this.#last - this.#first + 1 }, (_, index) => {
      const place = this.#first + index;
      return this.#buckets.get(place) ?? { startMs: place * this.#widthMs, ok: 0, failed: 0 };
    });
  }

  #count(place: number, ok: number, failed: number): void {
    const bucket = this.#buckets.get(place);
    if (bucket === undefined) {
      this.#buckets.set(place, { startMs: place * this.#widthMs, ok, failed });
    } else {
      bucket.ok += ok;
      bucket.failed += failed;
    }
  }

  #widen(): void {
    const before = this.#buckets;
    this.#widthMs *= 2;
    this.#first = Math.floor(this.#first / 2);
    this.#last = Math.floor(this.#last / 2);
    this.#buckets = new Map();
    for (const [place, { ok, failed }] of before) this.#count(Math.floor(place / 2), ok, failed);
  }
}

const DAY_MS = 24 * 3600 * 1000;

/** All of a summary that the result records alone can tell, and when they were made. */
export interface ReportSummary
  extends Omit<Summary, 'read' | 'skipped' | 'notFetched' | 'wallMs' | 'urlsPerSecond'> {
  readonly results: number;
  /** Start of the first attempt and end of the last, in ms since the epoch; left out when there is no result. */
  readonly startedAt?: number;
  readonly endedAt?: number;
}

/** Folds results into a `ReportSummary`, in memory that does not depend on their number. */
export class ReportFold {
  readonly #fold = new SummaryFold();
  #startedAt = Number.POSITIVE_INFINITY;
  #endedAt = Number.NEGATIVE_INFINITY;

  add(result: Result): void {
    this.#fold.add(result);
    this.#startedAt = Math.min(this.#startedAt, result.startedAt);
    this.#endedAt = Math.max(this.#endedAt, endOf(result));
  }

  summary(): ReportSummary {
    const { read, skipped, notFetched, wallMs, urlsPerSecond, ...told } = this.#fold.summary(0);
    const results = told.ok + told.failed;
    if (results === 0) return { results, ...told };
    return { results, startedAt: this.#startedAt, endedAt: this.#endedAt, ...told };
  }

  /** The same as the summary of a run that took as long as its results and read nothing else. */
  asRun(): Summary {
    const wallMs = Math.max(0, this.#endedAt - this.#startedAt);
    const summary = this.#fold.summary(wallMs);
    return { ...summary, read: summary.ok + summary.failed };
  }
}

/** When the last attempt of a result ended, in ms since the epoch. A record may say anything, so a day is the most. */
export function endOf({ startedAt, durationMs }: Result): number {
  return startedAt + Math.min(durationMs, DAY_MS);
}

/** The outcome of a run in one line, and whether that is good. */
interface VerdictLine {
  readonly mood: 'good' | 'bad' | 'nothing';
  readonly text: string;
}

/** `3 of 100 URLs failed`; failures that do not fail the run are no part of the first number. */
export function verdictLine({ results, failed, known, flaky }: ReportSummary): VerdictLine {
  const failing = failed - known - flaky;
  const total = formatCount(results);
  const urls = results === 1 ? 'URL' : 'URLs';
  if (results === 0) return { mood: 'nothing', text: 'No results' };
  if (failing > 0) return { mood: 'bad', text: `${formatCount(failing)} of ${total} ${urls} failed` };
  if (failed === 0)
    return { mood: 'good', text: results === 1 ? 'The URL is OK' : `All ${total} URLs are OK` };
  return {
    mood: 'good',
    text: `No new failures: ${formatCount(failed)} of ${total} ${urls} failed, which is known or may pass`,
  };
}
