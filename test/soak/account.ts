import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type SoakOrigins, soakLine } from './soak-line.ts';

/** What the records of a run say of its list. */
export interface Account {
  readonly results: number;
  /** Results by outcome: `ok`, or the kind of the failure. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** What is wrong, in words; the first ones. */
  readonly faults: readonly string[];
}

const MOST_FAULTS = 20;

/** Holds the records in a file against the list: each place must be there once, with what was expected of it. */
export async function accountFor(file: string, count: number, origins: SoakOrigins): Promise<Account> {
  const seen = new Uint8Array(count);
  const outcomes = new Map<string, number>();
  const faults: string[] = [];
  const fault = (text: string) => {
    if (faults.length < MOST_FAULTS) faults.push(text);
  };
  let results = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { index, ok, failure } = JSON.parse(line) as { index: number; ok: boolean; failure?: Failure };
    results += 1;
    if (index >= count || seen[index] !== 0)
      fault(`there is a second record, or none was asked for: ${line}`);
    seen[index] = 1;
    const outcome = ok ? 'ok' : (failure?.kind ?? 'none');
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    const { expected, text } = soakLine(index, origins);
    if (expected !== 'either' && (expected === 'ok') !== ok) {
      fault(`expected ${expected} of ${text}, got ${outcome} ${failure?.message ?? ''}`);
    }
  }
  const lost = seen.indexOf(0);
  if (lost !== -1) fault(`there is no record of ${soakLine(lost, origins).text}`);
  return { results, outcomes, faults };
}

interface Failure {
  readonly kind: string;
  readonly message: string;
}
