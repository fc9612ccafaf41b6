/** What part of a body an answer has, in bytes: from `first` on, of `total`. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number;
}

/** Reads a Content-Range header (RFC 9110, 14.4); `undefined` when it is missing, odd, or does not say how long the whole is. */
export function contentRange(header: string | string[] | undefined): ContentRange | undefined {
  const [, ...digits] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(String(header)) ?? [];
  const [first, last, total] = digits.map(Number);
  if (first === undefined || last === undefined || total === undefined) return undefined;
  return first <= last && last < total ? { first, last, total } : undefined;
}
