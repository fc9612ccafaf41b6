import { UsageError } from '../model/errors.ts';

/** A parsed value and what messages call its place. */
export interface Given {
  readonly value: unknown;
  readonly place: string;
}

interface Rivals {
  readonly keys: readonly [string, string];
  /** Whether the two values can hold together all the same. */
  agree(first: unknown, second: unknown): boolean;
}

const RIVALS: readonly Rivals[] = [
  { keys: ['head', 'method'], agree: (head, method) => head === false || method === 'HEAD' },
  { keys: ['head', 'data'], agree: (head) => head === false },
  // An answer to HEAD has no body.
  { keys: ['head', 'saveDir'], agree: (head) => head === false },
  { keys: ['head', 'inlineBody'], agree: (head, bytes) => head === false || bytes === undefined },
  { keys: ['json', 'format'], agree: (json, format) => json === false || format === 'jsonl' },
  { keys: ['ipv4', 'ipv6'], agree: (ipv4, ipv6) => ipv4 === false || ipv6 === false },
];

/** Throws a `UsageError` when two options that were given in the same place cannot hold together. */
export function refuseRivals(given: ReadonlyMap<string, Given>): void {
  for (const [first, second] of clashes(given)) {
    throw new UsageError(`Cannot use ${first.place} with ${second.place}: give one of the two`);
  }
}

/** Takes out the options that cannot hold together with one that was given in a place that wins. */
export function dropRivals(lower: Map<string, Given>, higher: ReadonlyMap<string, Given>): void {
  for (const key of [...lower.keys()]) {
    const entry = lower.get(key);
    if (entry !== undefined && clashes(new Map(higher).set(key, entry)).length > 0) lower.delete(key);
  }
}

function clashes(given: ReadonlyMap<string, Given>): readonly (readonly [Given, Given])[] {
  return RIVALS.flatMap(({ keys, agree }) => {
    const [first, second] = [given.get(keys[0]), given.get(keys[1])];
    return first && second && !agree(first.value, second.value) ? [[first, second] as const] : [];
  });
}
