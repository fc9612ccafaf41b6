import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { outputError } from '../../model/errors.ts';
import { failsRun, outcomeLabel, type Result, standingNotes } from '../../model/result.ts';
import { hostOf } from '../../model/url.ts';
import type { Sink } from '../../results/sink.ts';
import type { LineOutput } from '../line-writer.ts';
import { ReportFold, type ReportSummary } from './aggregate.ts';
import { escapeXml } from './markup.ts';

const MEMORY = 1024 * 1024;

/**
 * Keeps text of any length until what has to stand before it is known: in memory at first, then in a temporary file.
 * - `append()` returns a promise only when it writes. One call at a time.
 * - The file has no name any more once it is open, where the system allows that: nothing is left behind by `kill -9`.
 * - Throws an `OutputError` when the file cannot be written.
 */
class Spool {
  readonly #parent: string;
  readonly #memory: number;
  #pending = '';
  #file: FileHandle | undefined;
  #directory: string | undefined;

  /**
   * @param parent directory for temporary files
   * @param memory length of the text that is held in memory, in UTF-16 units
   */
  constructor(parent: string, memory = MEMORY) {
    this.#parent = parent;
    this.#memory = memory;
  }

  append(text: string): void | Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= this.#memory) return this.#flush();
  }

  /** All that was appended, in pieces. */
  async *text(): AsyncGenerator<string, void, undefined> {
    if (this.#file !== undefined) {
      try {
        yield* this.#file.createReadStream({ start: 0, autoClose: false, encoding: 'utf8' });
      } catch (error) {
        throw outputError(this.#parent, error);
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
      throw outputError(this.#parent, error);
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
    // An open file cannot be removed on Windows: then it is when it is closed.
    await rm(this.#directory, { recursive: true, force: true }).then(
      () => {
        this.#directory = undefined;
      },
      () => {},
    );
  }
}

/**
 * `--report junit`: a test case for each URL, valid by the schemas of Jenkins (junit-4.xsd and junit-10.xsd). They have no
 * place for file and line, so each case tells them in its text. The counts stand first, so the cases are spooled.
 * - A failure that does not fail the run (known, or not yet often enough) is skipped; a warning passes, and is told.
 *
 * @param temporary directory for temporary files
 */
export function junitReport(output: LineOutput, temporary: string): Sink {
  const fold = new ReportFold();
  const spool = new Spool(temporary);
  return {
    write(result) {
      fold.add(result);
      return spool.append(testCase(result));
    },
    async end() {
      try {
        await output.write(start(fold.summary()));
        for await (const text of spool.text()) await output.write(text);
        await output.write('</testsuite>\n</testsuites>\n');
      } finally {
        await spool.close();
        await output.end();
      }
    },
  };
}

function start({ results, failed, known, flaky, startedAt, endedAt }: ReportSummary): string {
  const failures = failed - known - flaky;
  const begun = startedAt ?? 0;
  const counts = `tests="${results}" failures="${failures}" errors="0" time="${seconds((endedAt ?? begun) - begun)}"`;
  const at = startedAt === undefined ? '' : ` timestamp="${new Date(startedAt).toISOString().slice(0, 19)}"`;
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuites name="fanout" ${counts}>\n` +
    `<testsuite name="fanout" ${counts} skipped="${known + flaky}"${at}>\n`
  );
}

function testCase(result: Result): string {
  const { source, line, method, url, durationMs, failure } = result;
  const host = failure?.kind === 'invalid' ? '' : `/${hostOf(url)}`;
  const name = method === 'GET' ? url : `${method} ${url}`;
  return (
    `<testcase classname="${escapeXml(source + host)}" name="${escapeXml(name)}" time="${seconds(durationMs)}">` +
    `${outcome(result)}<system-out>${escapeXml(`${source}:${line}`)}: ${escapeXml(told(result))}</system-out></testcase>\n`
  );
}

function outcome(result: Result): string {
  const { failure, source, line, url } = result;
  if (failure === undefined) return '';
  if (!failsRun(result)) return `<skipped>${escapeXml(told(result))}</skipped>`;
  const text = `${escapeXml(`${source}:${line}`)}: ${escapeXml(url)}`;
  return `<failure type="${failure.kind}" message="${escapeXml(told(result))}">${text}</failure>`;
}

/** `404 Not Found`, `dns getaddrinfo ENOTFOUND nope.invalid (known)`, `200 -> https://example.com/final`. */
function told(result: Result): string {
  const message = (result.failure ?? result.warning)?.message ?? '';
  const notes = [...(result.warning === undefined ? [] : ['warning']), ...standingNotes(result)];
  const parts = [outcomeLabel(result), message, notes.length > 0 ? `(${notes.join(', ')})` : ''];
  const end = result.ok && result.finalUrl !== undefined ? [`-> ${result.finalUrl}`] : [];
  return [...parts, ...end].filter((part) => part !== '').join(' ');
}

function seconds(ms: number): string {
  return (Math.min(ms, Number.MAX_SAFE_INTEGER) / 1000).toFixed(3);
}
