import { bodyLength } from '../../model/body-length.ts';
import { outcomeLabel } from '../../model/outcome-label.ts';
import type { Result } from '../../model/result.ts';
import { standingNotes } from '../../model/standing-notes.ts';
import { hostOf } from '../../model/url.ts';
import { failsRun } from '../../model/verdict.ts';

/** What a report says of results that are more than OK, the most urgent first. */
export const SECTIONS = ['failed', 'flaky', 'known', 'warned', 'mended'] as const;

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
export interface SampleLimits {
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
