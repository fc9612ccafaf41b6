/** A response header that is required, with this value, or with any value if it is empty. */
export interface ExpectedHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
}

/** What a response must meet to count as OK. */
export interface Expectation {
  /** Status codes that are OK for this job; they replace those of the run. */
  readonly status?: { has(status: number): boolean } | undefined;
  readonly contains: readonly string[];
  readonly notContains: readonly string[];
  readonly matches: readonly RegExp[];
  readonly headers: readonly ExpectedHeader[];
  /** Maximum duration of the attempt in ms. */
  readonly maxTimeMs?: number | undefined;
}

/** Parses the expectation of a job, or reports what is wrong with it. */
export type ParseExpectation = (value: unknown) => Expectation | { readonly fault: string };

/** Combines two expectations. Status and time of the second override those of the first. */
export function mergeExpectations(first: Expectation, second: Expectation | undefined): Expectation {
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

/** Whether the body must be searched. */
export function requiresBody({ contains, notContains, matches }: Expectation): boolean {
  return contains.length + notContains.length + matches.length > 0;
}
