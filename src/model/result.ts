import type { Failure } from './failure.ts';

/** One hop that was answered with a redirect: the status and the URL that gave it. */
export interface Redirect {
  readonly status: number;
  readonly url: string;
}

/** What was kept of a body: a file, or the body itself. */
export interface KeptBody {
  /** Relative to the directory that bodies are saved in, with `/` between its parts. */
  readonly path?: string | undefined;
  /** Length as it is kept. */
  readonly bytes: number;
  /** In lower-case hex, of the bytes as they are kept. */
  readonly sha256?: string | undefined;
  /** The body itself, when it is text. */
  readonly text?: string | undefined;
  /** The body itself, when it is not. */
  readonly base64?: string | undefined;
}

/** How a result stands to the run that the baseline was made of. */
type BaselineVerdict = 'new' | 'known' | 'mended';

interface Outcome {
  readonly index: number;
  readonly source: string;
  readonly line: number;
  readonly id?: string | undefined;
  /** The URL of the job. */
  readonly url: string;
  /** The URL that answered, when it is not `url`. */
  readonly finalUrl?: string | undefined;
  readonly method: string;
  /** Status of the last answer, if there was one. */
  readonly status?: number | undefined;
  /** Attempts made, 0 when nothing was sent. Redirect hops are part of one attempt. */
  readonly attempts: number;
  readonly redirects: readonly Redirect[];
  /** Length of the body in bytes after decoding, as far as it was read; of one that was gone on with, the part that came now. */
  readonly bytes: number;
  /** The body was larger than the limit and was not read to its end. */
  readonly truncated: boolean;
  readonly contentType?: string | undefined;
  /** Start of the last attempt, in ms since the epoch. */
  readonly startedAt: number;
  /** Length of the last attempt in ms, from its start to its last byte or its failure. */
  readonly durationMs: number;
  /** Time to the first byte of the answer in ms, from the start of the last attempt. */
  readonly ttfbMs?: number | undefined;
  readonly body?: KeptBody | undefined;
  readonly baseline?: BaselineVerdict | undefined;
  /** Bad runs in a row, this one counted, when they are counted and not yet enough to fail the run. */
  readonly badRuns?: number | undefined;
  /** The worker that made it, in a run on many machines: where its body is, if it was saved. */
  readonly worker?: string | undefined;
  /** It comes from the journal, and this run has fetched nothing for it. No part of the record. */
  readonly isResumed?: boolean | undefined;
}

export interface OkResult extends Outcome {
  readonly ok: true;
  /** What would be a failure if the options did not let it pass. */
  readonly warning?: Failure | undefined;
  readonly failure?: undefined;
}

export interface FailedResult extends Outcome {
  readonly ok: false;
  readonly warning?: undefined;
  readonly failure: Failure;
}

/** What became of one job. A failed URL is a value; branch on `ok` and `failure.kind`. */
export type Result = OkResult | FailedResult;

type Verdict = 'OK' | 'WARN' | 'FAIL';

/** The word for a result in the first column. */
export function verdictOf(result: Result): Verdict {
  if (!result.ok) return 'FAIL';
  return result.warning === undefined ? 'OK' : 'WARN';
}

/** Whether a result makes the run fail: a failure does, unless the baseline knows it or it may be a flaw of the day. */
export function failsRun(result: Result): boolean {
  return !result.ok && result.baseline !== 'known' && result.badRuns === undefined;
}

/**
 * The word for what a URL gave, as in the second column of the results: of a failure or a warning its kind, or the
 * status where the kind is `status`; otherwise the status, `-` if there is none.
 */
export function outcomeLabel({ failure, warning, status }: Result): string {
  const trouble = failure ?? warning;
  if (trouble === undefined || (trouble.kind === 'status' && status !== undefined))
    return String(status ?? '-');
  return trouble.kind;
}

/** How a result stands to the runs before: `known`, `new`, `mended`, `bad run 2`; mostly nothing. */
export function standingNotes({ baseline, badRuns }: Result): readonly string[] {
  const notes: string[] = [];
  if (baseline !== undefined) notes.push(baseline);
  if (badRuns !== undefined) notes.push(`bad run ${badRuns}`);
  return notes;
}

/** Length of a body in bytes: as it was kept, which is more than came when it was gone on with, or else as far as it was read. */
export function bodyLength({ body, bytes }: Result): number {
  return body?.bytes ?? bytes;
}

/** The reports that a run can be made into. */
export const REPORT_KINDS = ['junit', 'json', 'markdown', 'html', 'csv'] as const;

export type ReportKind = (typeof REPORT_KINDS)[number];
