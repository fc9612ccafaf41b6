import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toOutputError } from '../../model/errors.ts';
import { failsRun, historyNotes, isNotFetched, outcomeLabel, type Result } from '../../model/result.ts';
import { hostOf } from '../../model/url.ts';
import type { Sink } from '../../results/sink.ts';
import { nameSuffix, place } from '../format.ts';
import type { LineOutput } from '../line-writer.ts';
import { ReportFold, type ReportSummary } from './aggregate.ts';
import { escapeXml } from './markup.ts';

/** Length of text that is held in memory before a temporary file is used, in UTF-16 units. */
const MAX_MEMORY_LENGTH = 1024 * 1024;

/**
 * `--report junit`: one test case per URL, valid by the schema of Jenkins (junit-10.xsd). It has no attributes for file and
 * line, so these are in the text of each case. The counts come first, so the cases are spooled.
 *
 * A failure that does not fail the run (known or flaky) is a skipped test. A warning is a passed test with a text. A URL that
 * was not fetched is a test with an error.
 *
 * @param temporary directory for temporary files
 */
export function junitReport(output: LineOutput, temporary: string): Sink {
  const fold = new ReportFold();
  const spool = new Spool(temporary);
  let listedNotFetched = 0;
  return {
    write(result) {
      if (isNotFetched(result)) listedNotFetched += 1;
      fold.add(result);
      return spool.append(testCase(result));
    },
    async end(run) {
      const summary = fold.summary(run);
      try {
        const unlisted = unlistedCase(summary, listedNotFetched);
        await output.write(documentStart(summary, listedNotFetched + (unlisted === '' ? 0 : 1)));
        for await (const text of spool.read()) await output.write(text);
        await output.write(unlisted);
        await output.write('</testsuite>\n</testsuites>\n');
      } finally {
        await spool.close();
        await output.end();
      }
    },
  };
}

function documentStart(summary: ReportSummary, errors: number): string {
  const { results, failed, known, flaky, startedAt, endedAt } = summary;
  const failures = failed - known - flaky;
  const start = startedAt ?? 0;
  const counts = `tests="${results + errors}" failures="${failures}" errors="${errors}" time="${seconds((endedAt ?? start) - start)}"`;
  const at = startedAt === undefined ? '' : ` timestamp="${new Date(startedAt).toISOString().slice(0, 19)}"`;
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuites name="fanout" ${counts}>\n` +
    `<testsuite name="fanout" ${counts} skipped="${known + flaky}"${at}>\n`
  );
}

function testCase(result: Result): string {
  const { source, method, url, durationMs, failure } = result;
  const name = failure?.kind === 'invalid' ? '' : hostOf(url);
  const host = name === '' ? '' : `/${name}`;
  return (
    `<testcase classname="${escapeXml(source + host)}" name="${escapeXml(`${method} ${url}${nameSuffix(result)}`)}" time="${seconds(durationMs)}">` +
    `${outcome(result)}<system-out>${escapeXml(`${place(result)}${okText(result)}`)}</system-out></testcase>\n`
  );
}

/** What a test that passed says after its place. The others have their message already. */
function okText(result: Result): string {
  const text = result.ok ? description(result) : '-';
  return text === '-' ? '' : `: ${text}`;
}

function outcome(result: Result): string {
  const { failure, url } = result;
  if (failure === undefined) return '';
  if (isNotFetched(result)) return notFetchedError(failure.message);
  if (!failsRun(result))
    return `<skipped type="${failure.kind}" message="${escapeXml(message(result))}"></skipped>`;
  const text = `${escapeXml(place(result))}: ${escapeXml(url)}${escapeXml(nameSuffix(result))}`;
  return `<failure type="${failure.kind}" message="${escapeXml(message(result))}">${text}</failure>`;
}

/** One test for all URLs that were not fetched and have no record; empty if there are none. */
function unlistedCase({ notFetched, isListComplete }: ReportSummary, listed: number): string {
  const count = notFetched - listed;
  const parts = [
    ...(count > 0 ? [`${count} more ${count === 1 ? 'URL' : 'URLs'} not fetched`] : []),
    ...(isListComplete ? [] : ['the rest of the list was not read']),
  ];
  if (parts.length === 0) return '';
  const error = notFetchedError(`the run was stopped: ${parts.join('; ')}`);
  return `<testcase classname="fanout" name="rest of the list" time="0.000">${error}</testcase>\n`;
}

function notFetchedError(message: string): string {
  return `<error type="aborted" message="${escapeXml(message)}"></error>`;
}

/** `404 Not Found`, `no such name (ENOTFOUND)`: the kind of a failure is its type. */
function message(result: Result): string {
  const text = description(result);
  const { failure } = result;
  return failure === undefined || failure.kind === 'status' ? text : text.slice(failure.kind.length + 1);
}

/** `404 Not Found`, `dns no such name (ENOTFOUND) (known)`, `200 -> https://example.com/final`. */
function description(result: Result): string {
  const message = (result.failure ?? result.warning)?.message ?? '';
  const notes = [...(result.warning === undefined ? [] : ['warning']), ...historyNotes(result)];
  const parts = [outcomeLabel(result), message, notes.length > 0 ? `(${notes.join(', ')})` : ''];
  const end = result.ok && result.finalUrl !== undefined ? [`-> ${result.finalUrl}`] : [];
  return [...parts, ...end].filter((part) => part !== '').join(' ');
}

function seconds(ms: number): string {
  return (Math.min(ms, Number.MAX_SAFE_INTEGER) / 1000).toFixed(3);
}

/**
 * Holds text of any length until it is read once, in memory at first and then in a temporary file.
 * - `append()` returns a promise only if it writes. Wait for it before the next call.
 * - The file is unlinked as soon as it is open, where the system allows that, so that `kill -9` leaves nothing behind.
 * - Throws an `OutputError` if the file cannot be written.
 */
class Spool {
  readonly #parent: string;
  #pending = '';
  #file: FileHandle | undefined;
  #directory: string | undefined;

  /** @param parent directory for temporary files */
  constructor(parent: string) {
    this.#parent = parent;
  }

  append(text: string): void | Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= MAX_MEMORY_LENGTH) return this.#flush();
  }

  /** Reads the whole text in pieces. */
  async *read(): AsyncGenerator<string, void, undefined> {
    if (this.#file !== undefined) {
      try {
        yield* this.#file.createReadStream({ start: 0, autoClose: false, encoding: 'utf8' });
      } catch (error) {
        throw toOutputError(this.#parent, error);
      }
    }
    yield this.#pending;
  }

  async close(): Promise<void> {
    this.#pending = '';
    await this.#file?.close();
    await this.#remove();
  }

  async #flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    try {
      this.#file ??= await this.#open();
      await this.#file.appendFile(text);
    } catch (error) {
      throw toOutputError(this.#parent, error);
    }
  }

  async #open(): Promise<FileHandle> {
    this.#directory = await mkdtemp(join(this.#parent, 'fanout-'));
    const file = await open(join(this.#directory, 'report'), 'wx+', 0o600);
    await this.#remove();
    return file;
  }

  async #remove(): Promise<void> {
    if (this.#directory === undefined) return;
    // Windows does not remove an open file. It is removed when it is closed.
    await rm(this.#directory, { recursive: true, force: true }).then(
      () => {
        this.#directory = undefined;
      },
      () => {},
    );
  }
}
