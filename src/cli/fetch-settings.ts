import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { toProxySettings } from '../config/network-options.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { createRequestTemplate, readData } from '../config/request-template.ts';
import { readTlsFiles } from '../config/tls-files.ts';
import { systemClock } from '../core/clock.ts';
import { readSettings } from '../core/own-file.ts';
import { fileLimit } from '../fetch/process-resources.ts';
import type { RunParts, TransportFactory } from '../fetch/run.ts';
import { systemReason, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';

/** How every run of this process fetches: everything that a `Run` needs except its jobs. */
export type FetchSettings = Omit<RunParts, 'jobs'>;

/**
 * Reads the files that the request options name, and takes proxies and the open-file limit from the process.
 * Throws a `UsageError` or an `InputError`.
 */
export async function loadFetchSettings(
  options: ProgramOptions,
  process: NodeJS.Process,
): Promise<FetchSettings> {
  const proxies = toProxySettings(options, process.env);
  await checkSocket(options);
  const body = await readData(options, (path) => readFile(path));
  const tls = await readTlsFiles(options, readSettings);
  return {
    options,
    defaults: createRequestTemplate(options, body, await readNetrc(options, process.env)),
    tls,
    proxies,
    clock: systemClock,
    random: Math.random,
    fileLimit: fileLimit(process.report, 2 * options.concurrency),
  };
}

/** Throws a `UsageError` if there is no Unix domain socket for `--unix-socket`. */
async function checkSocket({ unixSocket }: ProgramOptions): Promise<void> {
  if (unixSocket === undefined) return;
  const status = await stat(unixSocket).catch((error: unknown) => printable(systemReason(error)));
  const fault = typeof status === 'string' ? status : status.isSocket() ? undefined : 'not a socket';
  if (fault === undefined) return;
  throw new UsageError(`cannot connect to "${excerpt(unixSocket)}" for --unix-socket: ${fault}`);
}

/** The text of the file of `--netrc`. Throws a `UsageError` if it cannot be read. */
async function readNetrc({ netrc }: ProgramOptions, { HOME, NETRC }: NodeJS.ProcessEnv): Promise<string> {
  if (netrc === undefined) return '';
  const path = netrc === true ? NETRC || join(HOME || homedir(), '.netrc') : netrc;
  return readSettings(path).catch((error: unknown) => {
    throw new UsageError(`cannot read "${excerpt(path)}" for --netrc: ${printable(systemReason(error))}`);
  });
}

// The bundler puts this code into `dist/chunks/`, which is one level below `dist` as this file is below `src`.
const WORKER = new URL('../fetch/threads/worker.js', import.meta.url);

/** Returns what fetches in several threads, or `undefined` for one thread. The code of threads is loaded on use. */
export async function createThreads({ threads }: ProgramOptions): Promise<TransportFactory | undefined> {
  if (threads === 1) return undefined;
  const { createThreads: create } = await import('../fetch/threads/threaded-transport.ts');
  return create({ threads, worker: WORKER });
}
