import {
  bodyLength,
  failsRun,
  historyNotes,
  isNotFetched,
  outcomeLabel,
  type Result,
} from '../../model/result.ts';
import { IndexSpan, type Summary, SummaryFold } from '../../model/summary.ts';
import { hostOf } from '../../model/url.ts';
import { formatCount, nameSuffix } from '../format.ts';

// What the reports fold results into, in memory that does not depend on the number of results.

/** Sections of findings, the most urgent first. */
const SECTIONS = ['failed', 'notFetched', 'flaky', 'known', 'warned', 'fixed'] as const;

/** Rows that each group gets, even if its section is full. */
const MIN_GROUP_ROWS = 20;

const MAX_URL = 500;
const MAX_TEXT = 300;
const MAX_HOPS = 10;
const DAY_MS = 24 * 3600 * 1000;

const NOTHING: Readonly<Tally> = { ok: 0, excused: 0, failed: 0 };

/** The first width of a time bucket. */
const FIRST_WIDTH_MS = 10;

/** The lower bounds of the latency buckets. */
const BOUNDS_MS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];

/**
 * The part of a summary that depends only on the result records, the time they cover, and how much of the list has no result
 * because the run was stopped, or left it out.
 */
export interface ReportSummary
  extends Omit<
    Summary,
    'read' | 'skipped' | 'skippedByReason' | 'wallMs' | 'urlsPerSecond' | 'resumedByVerdict'
  > {
  /** Left out on purpose; unset if there are none, or the records are all that is known of the run. */
  readonly skipped?: number;
  readonly skippedByReason?: NonNullable<Summary['skippedByReason']>;
  /** URLs that are OK or failed. */
  readonly results: number;
  /** Results that are missing at least: `--only-failures` leaves out those of other URLs. */
  readonly missing: number;
  /** Start of the first attempt and end of the last in ms since the epoch; unset without results. */
  readonly startedAt?: number;
  readonly endedAt?: number;
}

/** What a run knows of the lines of its list that have no result. */
type RunEnd = Pick<Summary, 'notFetched' | 'isListComplete' | 'skipped' | 'skippedByReason'>;

/** Folds results into a `ReportSummary`. */
export class ReportFold {
  readonly #fold = new SummaryFold();
  readonly #indexes = new IndexSpan();
  #startedAt = Number.POSITIVE_INFINITY;
  #endedAt = Number.NEGATIVE_INFINITY;

  add(result: Result): void {
    this.#fold.add(result);
    this.#indexes.add(result.index);
    if (isNotFetched(result)) return;
    this.#startedAt = Math.min(this.#startedAt, result.startedAt);
    this.#endedAt = Math.max(this.#endedAt, endOf(result));
  }

  /** @param run the summary of the run, which knows of more URLs without a result than the records show */
  summary({ skipped, skippedByReason, ...run }: RunEnd): ReportSummary {
    const {
      read,
      skipped: _,
      skippedByReason: __,
      wallMs,
      urlsPerSecond,
      resumedByVerdict,
      ...own
    } = this.#fold.summary(0);
    const notFetched = Math.max(own.notFetched, run.notFetched);
    const missing = Math.max(0, this.#indexes.missing - (notFetched - own.notFetched));
    const left = skipped > 0 ? { skipped, ...(skippedByReason && { skippedByReason }) } : {};
    const counts = { ...own, missing, notFetched, isListComplete: run.isListComplete, ...left };
    const results = counts.ok + counts.failed;
    if (results === 0) return { results, ...counts };
    return { results, startedAt: this.#startedAt, endedAt: this.#endedAt, ...counts };
  }

  /** Results that are missing at least. */
  get missing(): number {
    return this.#indexes.missing;
  }

  /** The summary of a run that lasted from the first start to the last end and read only these URLs. */
  asRun(): Summary {
    const wallMs = Math.max(0, this.#endedAt - this.#startedAt);
    const summary = this.#fold.summary(wallMs);
    return { ...summary, read: summary.ok + summary.failed + summary.notFetched };
  }
}

/** When the last attempt of a result ended, in ms since the epoch. A record can have any duration; at most a day counts. */
export function endOf({ startedAt, durationMs }: Result): number {
  return startedAt + Math.min(durationMs, DAY_MS);
}

/** The outcome of a run in one line. */
interface VerdictLine {
  readonly mood: 'good' | 'bad' | 'nothing';
  readonly text: string;
}

/**
 * `3 of 100 URLs failed`, where the first number counts only failures that fail the run. The report of a run that was cut short
 * is never good.
 */
export function verdictLine(summary: ReportSummary): VerdictLine {
  const { results, missing, failed, known, flaky, notFetched, isListComplete } = summary;
  const failing = failed - known - flaky;
  const all = results + notFetched;
  const total = formatCount(all);
  const urls = all === 1 ? 'URL' : 'URLs';
  if (!isListComplete || notFetched > 0) {
    const parts = [
      ...(failing > 0 ? [`${formatCount(failing)} failed`] : []),
      ...(notFetched > 0 ? [`${formatCount(notFetched)} not fetched`] : []),
    ];
    const counts =
      parts.length === 0 ? `${total} ${urls} fetched` : `${parts.join(', ')} of ${total} ${urls}`;
    const rest = isListComplete ? '' : '; the rest of the list was not read';
    return { mood: 'bad', text: `Run stopped: ${counts}${rest}` };
  }
  if (results === 0) return { mood: 'nothing', text: 'No results' };
  if (missing > 0) {
    const text = `${formatCount(failing)} ${failing === 1 ? 'URL' : 'URLs'} failed; at least ${formatCount(missing)} other results are not in the file`;
    return { mood: failing > 0 ? 'bad' : 'nothing', text };
  }
  if (failing > 0) return { mood: 'bad', text: `${formatCount(failing)} of ${total} ${urls} failed` };
  if (failed === 0)
    return { mood: 'good', text: results === 1 ? 'The URL is OK' : `All ${total} URLs are OK` };
  const why = flaky === 0 ? 'known' : known === 0 ? NOT_YET : `known or ${NOT_YET}`;
  const subject = failed === 1 ? 'it is' : 'all are';
  return { mood: 'good', text: `${formatCount(failed)} of ${total} ${urls} failed; ${subject} ${why}` };
}

const NOT_YET = 'below --flaky-after';

export type Section = (typeof SECTIONS)[number];

/** The section of a finding: a result that failed, has a warning, or failed in the baseline. `undefined` for others. */
function sectionOf(result: Result): Section | undefined {
  if (isNotFetched(result)) return 'notFetched';
  if (failsRun(result)) return 'failed';
  if (!result.ok) return result.baseline === 'known' ? 'known' : 'flaky';
  if (result.warning !== undefined) return 'warned';
  return result.baseline === 'fixed' ? 'fixed' : undefined;
}

/** Whether a report lists a result individually. */
export function isFinding(result: Result): boolean {
  return sectionOf(result) !== undefined;
}

/** What a report shows of one result, with truncated texts. */
export interface Row {
  readonly ok: boolean;
  readonly label: string;
  readonly url: string;
  /** What tells jobs with this URL apart, in brackets and with a space before them; empty if nothing does. */
  readonly name: string;
  readonly finalUrl: string;
  /** Statuses of the first ten redirects: `301 302`. */
  readonly hops: string;
  /** Empty if the line was not a URL. */
  readonly host: string;
  readonly source: string;
  readonly line: number;
  readonly message: string;
  readonly notes: readonly string[];
  readonly durationMs: number;
  readonly bytes: number;
}

export function toRow(result: Result): Row {
  const { ok, url, finalUrl, redirects, source, line, durationMs } = result;
  const problem = result.failure ?? result.warning;
  return {
    ok,
    label: outcomeLabel(result),
    url: excerpt(url, MAX_URL),
    name: excerpt(nameSuffix(result), MAX_TEXT),
    finalUrl: excerpt(finalUrl ?? '', MAX_URL),
    hops: redirects
      .slice(0, MAX_HOPS)
      .map(({ status }) => status)
      .join(' '),
    host: problem?.kind === 'invalid' ? '' : excerpt(hostOf(url), MAX_TEXT),
    source: excerpt(source, MAX_TEXT),
    line,
    message: excerpt(problem?.message ?? '', MAX_TEXT),
    notes: historyNotes(result),
    durationMs,
    bytes: bodyLength(result),
  };
}

/** The start of a text as a copy: a slice would keep the whole text in memory. */
function excerpt(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${Buffer.from(text.slice(0, maxLength)).toString()}…`;
}

/** The findings of one section with one label: their number and the first rows. */
export interface Group {
  readonly section: Section;
  readonly label: string;
  count: number;
  readonly rows: Row[];
}

/** The maximum number of rows of each section and each group. */
interface SampleLimits {
  readonly section: number;
  readonly group: number;
}

/** Counts findings by section and label, and keeps the first rows of each group. */
export class Samples {
  readonly #limits: SampleLimits;
  readonly #groups = new Map<string, Group>();
  readonly #rowsOfSection = new Map<Section, number>();

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
    const sectionRows = this.#rowsOfSection.get(section) ?? 0;
    const hasRoom = group.rows.length < this.#limits.group && sectionRows < this.#limits.section;
    if (!hasRoom && group.rows.length >= MIN_GROUP_ROWS) return;
    group.rows.push(toRow(result));
    this.#rowsOfSection.set(section, sectionRows + 1);
  }

  /** The groups by section, the largest first, with rows sorted by host and place in the input. */
  groups(): readonly Group[] {
    const groups = [...this.#groups.values()].sort(
      (a, b) => SECTIONS.indexOf(a.section) - SECTIONS.indexOf(b.section) || b.count - a.count,
    );
    for (const { rows } of groups) rows.sort(byHostAndPlace);
    return groups;
  }
}

function byHostAndPlace(a: Row, b: Row): number {
  return compare(a.host, b.host) || compare(a.source, b.source) || a.line - b.line;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The rows of the slowest results, the slowest first. Of equal durations the first one added wins. */
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
    this.#rows.splice(place === -1 ? this.#rows.length : place, 0, toRow(result));
    if (isFull) this.#rows.pop();
  }

  list(): readonly Row[] {
    return this.#rows;
  }
}

/** Numbers of results: OK, failed without failing the run (known or flaky), and failed. */
export interface Tally {
  ok: number;
  excused: number;
  failed: number;
}

/** Which of these numbers counts a result. */
export function partOf(result: Result): keyof Tally {
  if (result.ok) return 'ok';
  return failsRun(result) ? 'failed' : 'excused';
}

export function sumOf({ ok, excused, failed }: Tally): number {
  return ok + excused + failed;
}

/** The numbers of results that took at least `fromMs` and less than `toMs`, which is infinite for the last bucket. */
export interface LatencyBucket extends Tally {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A histogram of durations with the bounds 1, 2, 5, 10 and so on. */
export class LatencyBuckets {
  readonly #buckets: readonly LatencyBucket[] = BOUNDS_MS.map((fromMs, index) => ({
    fromMs,
    toMs: BOUNDS_MS[index + 1] ?? Number.POSITIVE_INFINITY,
    ...{ ok: 0, excused: 0, failed: 0 },
  }));

  add(durationMs: number, part: keyof Tally): void {
    const bucket = this.#buckets.findLast(({ fromMs }) => durationMs >= fromMs);
    if (bucket !== undefined) bucket[part] += 1;
  }

  /** The buckets from the first to the last that is not empty. */
  list(): readonly LatencyBucket[] {
    const isUsed = (bucket: LatencyBucket) => sumOf(bucket) > 0;
    const first = this.#buckets.findIndex(isUsed);
    return first === -1 ? [] : this.#buckets.slice(first, this.#buckets.findLastIndex(isUsed) + 1);
  }
}

/** The numbers of results that ended within one span of time. */
export interface TimeBucket extends Tally {
  /** In ms since the epoch. */
  readonly startMs: number;
}

/**
 * A timeline with at most `limit` buckets. When the time span grows beyond that, the width doubles and pairs of buckets merge.
 * Times may be added in any order.
 */
export class TimeBuckets {
  readonly #limit: number;
  #widthMs = FIRST_WIDTH_MS;
  /** By number since the epoch, so that the same two neighbours always merge. */
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
  add(atMs: number, part: keyof Tally): void {
    const number = Math.floor(atMs / this.#widthMs);
    this.#first = Math.min(this.#first, number);
    this.#last = Math.max(this.#last, number);
    this.#count(number, { ...NOTHING, [part]: 1 });
    while (this.#last - this.#first >= this.#limit) this.#widen();
  }

  /** All buckets in order, including empty ones. */
  list(): readonly TimeBucket[] {
    if (this.#buckets.size === 0) return [];
    return Array.from({ length: this.#last - this.#first + 1 }, (_, index) => {
      const number = this.#first + index;
      return this.#buckets.get(number) ?? { startMs: number * this.#widthMs, ...NOTHING };
    });
  }

  #count(number: number, { ok, excused, failed }: Readonly<Tally>): void {
    const bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      this.#buckets.set(number, { startMs: number * this.#widthMs, ok, excused, failed });
    } else {
      bucket.ok += ok;
      bucket.excused += excused;
      bucket.failed += failed;
    }
  }

  #widen(): void {
    const before = this.#buckets;
    this.#widthMs *= 2;
    this.#first = Math.floor(this.#first / 2);
    this.#last = Math.floor(this.#last / 2);
    this.#buckets = new Map();
    for (const [number, bucket] of before) this.#count(Math.floor(number / 2), bucket);
  }
}
