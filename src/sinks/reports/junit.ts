import type { Sink } from '../../collect/sink.ts';
import { outcomeLabel } from '../../model/outcome-label.ts';
import type { Result } from '../../model/result.ts';
import { standingNotes } from '../../model/standing-notes.ts';
import { hostOf } from '../../model/url.ts';
import { failsRun } from '../../model/verdict.ts';
import type { LineOutput } from '../line-writer.ts';
import { escapeXml } from './escape-xml.ts';
import { ReportFold, type ReportSummary } from './report-fold.ts';
import { Spool } from './spool.ts';

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
