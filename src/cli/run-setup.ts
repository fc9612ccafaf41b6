import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { statusSet } from '../config/parse/status-sets.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { proxySettings } from '../config/proxy-settings.ts';
import { type RequestTemplate, readData, requestTemplate } from '../config/request-template.ts';
import { maskHeaders } from '../config/secrets.ts';
import { readTlsFiles, type TlsMaterial } from '../config/tls-files.ts';
import { systemClock } from '../core/clock.ts';
import { type BackendFactory, Run, type RunParts } from '../fetch/run.ts';
import { firstHop, headersFor } from '../http/hop.ts';
import type { Journal } from '../journal/journal.ts';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import type { ProxySettings } from '../model/proxy-server.ts';
import type { Result } from '../model/result.ts';
import { escapeJson } from '../output/format.ts';
import type { LineOutput } from '../output/line-writer.ts';

/** What requests are made of, beside the options themselves. */
export interface RequestParts {
  readonly template: RequestTemplate;
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
}

/** Reads the files that the options of a request name. Throws a `UsageError` or an `InputError`. */
export async function requestParts(
  options: ProgramOptions,
  environment: NodeJS.ProcessEnv,
): Promise<RequestParts> {
  const proxies = proxySettings(options, environment);
  const body =
    options.data === undefined ? undefined : await readData(options.data, (path) => readFile(path));
  const tls = await readTlsFiles(options, (path) => readFile(path, 'utf8'));
  return { proxies, tls, template: requestTemplate(options, body) };
}

interface JournalParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  /** Told of damage, in whole sentences. */
  readonly warn: (message: string) => void;
}

/** Opens the file of `--journal`, whose code is loaded on use. */
export async function openJournal({ options, process, warn }: JournalParts): Promise<Journal | undefined> {
  const { journal: path, keepFailed, saveDir } = options;
  if (path === undefined) return undefined;
  const { Journal } = await import('../journal/journal.ts');
  return Journal.open(path, {
    keepFailed,
    confirm: saveDir === undefined ? undefined : (result) => hasBody(result, saveDir),
    warn,
    after: systemClock.after,
    processes: process,
  });
}

/** Whether the body of a finished URL is where it was saved: one that was removed is fetched again. */
function hasBody({ ok, method, body }: Result, directory: string): boolean {
  if (body?.path === undefined) return !ok || method === 'HEAD';
  const found = statSync(join(directory, body.path), { throwIfNoEntry: false });
  return found?.isFile() === true && found.size === body.bytes;
}

// All chunks of the program stand in `dist` itself, and so does the folder of this file there.
const WORKER = new URL('../fetch/threads/worker.js', import.meta.url);

/** What fetches in as many threads as the options say; nothing of it is loaded for one. */
export async function threadsOf({ threads }: ProgramOptions): Promise<BackendFactory | undefined> {
  if (threads === 1) return undefined;
  const { createThreadBackend } = await import('../fetch/threads/coordinator.ts');
  return createThreadBackend(threads, WORKER);
}

/** `--dry-run`: writes each job as one JSON line, secrets masked, and says how many of them are invalid. */
export async function dryRun(
  jobs: AsyncIterable<Iterable<Job>>,
  template: RequestTemplate,
  output: LineOutput,
): Promise<number> {
  let invalid = 0;
  for await (const batch of jobs) {
    for (const job of batch) {
      if (job.invalid !== undefined) invalid += 1;
      await output.write(`${jobLine(job, template)}\n`);
    }
  }
  await output.end();
  return invalid;
}

function jobLine(job: Job, template: RequestTemplate): string {
  const { index, source, line, id, url, invalid } = job;
  if (invalid !== undefined) return escapeJson(JSON.stringify({ index, source, line, url, invalid }));
  const { method, headers, body } = firstHop(job, template);
  const own = headersFor(template.hostHeaders, job.url) ?? {};
  const list = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const lines = maskHeaders(list, (name) => Object.hasOwn(own, name));
  const bodyBytes = body === undefined ? undefined : Buffer.byteLength(body);
  return escapeJson(JSON.stringify({ index, source, line, id, url, method, headers: lines, bodyBytes }));
}

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
