import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { listOf } from './list.ts';
import { parseStatusRange, StatusSet } from './status-set.ts';

/** What is worth another attempt: some answers, and failures before there is an answer. */
export interface RetryOn {
  readonly statuses: StatusSet;
  readonly network: boolean;
}

/** Status codes, ranges and classes as in `statusSet`, and the word `network`. */
export const retryOn: Parser<RetryOn> = {
  parse(value) {
    const parts = listOf(value);
    if (parts === undefined || parts.length === 0) throw new BadValue(WISH);
    const ranges = parts.filter((part) => part !== 'network').map(rangeOf);
    return Object.freeze({ statuses: new StatusSet(ranges), network: parts.includes('network') });
  },
  print: ({ statuses, network }) => [`${statuses}`, network ? 'network' : ''].filter(Boolean).join(','),
};

const WISH =
  'it must be a list of status codes from 100 to 999 and the word network, such as 429,5xx,network';

function rangeOf(part: string): ReturnType<typeof parseStatusRange> {
  if (/^[a-z]*$/i.test(part)) throw new BadValue(WISH);
  return parseStatusRange(part);
}
