import type { Expectation, ExpectedHeader } from '../model/expectation.ts';
import { printable } from '../model/printable.ts';
import type { ResponseHeaders } from './exchange.ts';

/** An answer that came to its end, as far as it is held against an expectation. */
export interface Judged {
  readonly headers: ResponseHeaders;
  /** Length of the whole attempt in ms. */
  readonly durationMs: number;
  /** What the body has or has not, against what was asked for. */
  readonly textFault: string | undefined;
}

/** The first thing that an answer is not, in words, or `undefined` when it is all that is expected. */
export function unmetExpectation(expectation: Expectation, judged: Judged): string | undefined {
  const { headers, maxTimeMs } = expectation;
  for (const header of headers) {
    const fault = headerFault(header, judged.headers);
    if (fault !== undefined) return fault;
  }
  if (judged.textFault !== undefined) return judged.textFault;
  if (maxTimeMs === undefined || judged.durationMs <= maxTimeMs) return undefined;
  return `it took ${Math.round(judged.durationMs)}ms, more than ${maxTimeMs}ms`;
}

function headerFault({ name, value }: ExpectedHeader, headers: ResponseHeaders): string | undefined {
  const given = headers[name];
  if (given === undefined) return `the answer has no header ${name}`;
  const values = Array.isArray(given) ? given : [given];
  if (value === '' || values.some((one) => isSame(one, value))) return undefined;
  return `the header ${name} is "${printable(values.join(', '), 100)}", not "${printable(value, 100)}"`;
}

/** In any case, and without the parameters behind a `;` when none are asked for. */
function isSame(given: string, wanted: string): boolean {
  const compared = wanted.includes(';') ? given : (given.split(';', 1)[0] ?? '');
  return compared.trim().toLowerCase() === wanted.toLowerCase();
}
