import { retryOn } from '../config/parsers/retry-on.ts';
import { statusSet } from '../config/parsers/status-set.ts';
import { type RunOptions, runOptions } from '../config/run-options.ts';

/** Options as they go from thread to thread: sets of status codes, objects with methods, go as text. */
export interface PackedOptions {
  readonly plain: Omit<RunOptions, 'accept' | 'retryOn'>;
  readonly accept: string;
  readonly retryOn: string;
}

/** Packs the options of a run, and nothing else that an object of options may hold. */
export function packOptions(options: RunOptions): PackedOptions {
  const { accept, retryOn: retried } = options;
  const keys = [...Object.keys(runOptions), 'hashesBodies' satisfies keyof RunOptions];
  const own = keys.filter((key) => key !== 'accept' && key !== 'retryOn');
  const values = new Map<string, unknown>(Object.entries(options));
  // All keys of the type but the two, with their values.
  const plain = Object.fromEntries(
    own.map((key) => [key, values.get(key)]),
  ) as unknown as PackedOptions['plain'];
  return { plain, accept: `${statusSet.print(accept)}`, retryOn: `${retryOn.print(retried)}` };
}

export function unpackOptions({ plain, accept, retryOn: retried }: PackedOptions): RunOptions {
  return { ...plain, accept: statusSet.parse(accept), retryOn: retryOn.parse(retried) };
}
