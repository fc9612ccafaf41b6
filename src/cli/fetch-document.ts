import { statusSet } from '../config/parsers/status-set.ts';
import type { RunParts } from '../fetching.ts';
import { InputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { Run } from '../run.ts';

/** How documents are fetched: as the URLs of the run are, without what is expected of those. */
export type DocumentParts = Omit<RunParts, 'jobs'>;

// As large as a sitemap may be, by its protocol.
const MAX_BYTES = 50 * 1024 ** 2;

/** Fetches what an input is at a URL. Rejects with an `InputError` that says why it cannot be had. */
export async function fetchDocument(
  url: string,
  parts: DocumentParts,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const run = new Run({
    ...parts,
    options: documentOptions(parts.options),
    defaults: { ...parts.defaults, method: 'GET', body: undefined },
    jobs: oneJob(url),
  });
  const abort = () => run.abort('the run has ended');
  signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const { ok, body, failure } of run.results()) {
      if (!ok) throw new InputError(`Cannot read ${printable(url, 200)}: ${failure.message}`);
      if (body?.base64 !== undefined) return Buffer.from(body.base64, 'base64');
      if (body?.text !== undefined) return Buffer.from(body.text);
    }
    throw new InputError(`Cannot read ${printable(url, 200)}: it is larger than 50mb`);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function documentOptions(options: RunParts['options']): RunParts['options'] {
  return {
    ...options,
    concurrency: 1,
    queue: 4,
    head: false,
    accept: statusSet.parse('200'),
    contains: [],
    notContains: [],
    matches: [],
    expectHeader: [],
    maxTime: undefined,
    blocked: 'ok',
    maxSize: MAX_BYTES,
    inlineBody: MAX_BYTES,
    saveDir: undefined,
    saveAll: false,
    resumePartial: false,
  };
}

async function* oneJob(url: string) {
  yield [{ index: 0, source: 'arguments', line: 1, url }];
}
