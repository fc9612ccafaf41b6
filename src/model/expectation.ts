/** A header that must be there: with this value, or with any if it is empty. */
export interface ExpectedHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
}

/** What an answer must be, beyond its status, to count as OK. */
export interface Expectation {
  /** Status codes that are OK for this job, in place of those of the run. */
  readonly status?: { has(status: number): boolean } | undefined;
  readonly contains: readonly string[];
  readonly notContains: readonly string[];
  readonly matches: readonly RegExp[];
  readonly headers: readonly ExpectedHeader[];
  /** Length of the attempt in ms at most. */
  readonly maxTimeMs?: number | undefined;
}

/** Reads what a user wrote as an expectation, or says what is wrong with it. */
export type ParseExpectation = (value: unknown) => Expectation | { readonly fault: string };

/** Both at once; what the second says of status and time wins. */
export function bothExpectations(first: Expectation, second: Expectation | undefined): Expectation {
  if (second === undefined) return first;
  return {
    status: second.status ?? first.status,
    contains: [...first.contains, ...second.contains],
    notContains: [...first.notContains, ...second.notContains],
    matches: [...first.matches, ...second.matches],
    headers: [...first.headers, ...second.headers],
    maxTimeMs: second.maxTimeMs ?? first.maxTimeMs,
  };
}

/** Whether the body must be looked at. */
export function expectsText({ contains, notContains, matches }: Expectation): boolean {
  return contains.length + notContains.length + matches.length > 0;
}
