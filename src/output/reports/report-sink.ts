import { encodeRecordCached } from '../../model/record.ts';
import { isNotFetched, isShownQuietly, movedTo, type ReportKind } from '../../model/result.ts';
import type { Sink } from '../../results/sink.ts';
import type { Paint } from '../format.ts';
import { escapeJson } from '../jsonl.ts';
import type { LineOutput } from '../line-writer.ts';
import { summaryText } from '../run-summary.ts';
import { textLine } from '../text.ts';
import { isFinding, ReportFold, type ReportSummary } from './aggregate.ts';
import { htmlReport } from './html.ts';
import { junitReport } from './junit.ts';
import { markdownReport } from './markdown.ts';

/**
 * Creates a report of this kind. It depends only on the results, so `fetch --report` and `fanout report` write the same.
 *
 * @param temporary directory for temporary files
 */
export function reportSink(kind: ReportKind, output: LineOutput, temporary: string): Sink {
  switch (kind) {
    case 'junit':
      return junitReport(output, temporary);
    case 'json':
      return jsonReport(output);
    case 'markdown':
      return markdownReport(output);
    case 'html':
      return htmlReport(output);
  }
}

interface TextReportOptions {
  readonly paint: Paint;
  /** Whether to leave out URLs that are OK or known. */
  readonly quiet: boolean;
}

/** `fanout report --format text`: one line per result, and the summary. */
export function textReport(output: LineOutput, { paint, quiet }: TextReportOptions): Sink {
  const fold = new ReportFold();
  const line = textLine(paint);
  return {
    write(result) {
      fold.add(result);
      if (isNotFetched(result)) return;
      if (!quiet || isShownQuietly(result)) return output.write(line(result));
    },
    async end() {
      const missing =
        fold.missing > 0 ? `  missing   at least ${fold.missing} results are not in the file\n` : '';
      await output.write(summaryText(fold.asRun(), paint) + missing);
      await output.end();
    },
  };
}

/**
 * `--report json`: one JSON document, `{"v":1,"findings":[…],"summary":{…}}`. The findings are the records of failures,
 * warnings, URLs that were not fetched and URLs that failed in the baseline, one per line, in the order of the results.
 */
function jsonReport(output: LineOutput): Sink {
  const fold = new ReportFold();
  let prefix = '{"v":1,"findings":[\n';
  return {
    write(result) {
      fold.add(result);
      if (!isFinding(result)) return;
      const line = prefix + escapeJson(encodeRecordCached(result));
      prefix = ',\n';
      return output.write(line);
    },
    async end(run) {
      const start = prefix === ',\n' ? '' : prefix;
      await output.write(`${start}\n],"summary":${escapeJson(JSON.stringify(toJson(fold.summary(run))))}}\n`);
      await output.end();
    },
  };
}

/** Formats times as in a record. */
function toJson({ startedAt, endedAt, ...counts }: ReportSummary): object {
  if (startedAt === undefined || endedAt === undefined) return counts;
  return {
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    ...counts,
  };
}

/** Stands between the parts of a command of sed, and is escaped in every serialised URL. */
const DELIMITER = '"';

/** What may follow a URL in a text: punctuation, and then something that is no part of a URL, or the end of the line. */
const END = '([].,;:!?)}*]*([^][:alnum:].,;:!?)}*/_~%#&=+@$-]|$))';

const SPECIAL = /[\\.[\]*^$+?(){}|]/g;

/**
 * `fanout report --format sed`: a script for `sed -E -f` that replaces each URL which has moved permanently by the one to write
 * instead. A URL is not replaced where it is the start of a longer one.
 */
export function sedReport(output: LineOutput): Sink {
  const written = new Set<string>();
  return {
    async write(result) {
      const target = movedTo(result);
      if (target === undefined) return;
      // As it is in the document, which may be without the slash behind a host.
      const old = result.input ?? result.url;
      if (written.has(old) || !isPlain(old) || !isPlain(target)) return;
      written.add(old);
      const pattern = old.replace(SPECIAL, '\\$&');
      const replacement = target.replace(/[\\&]/g, '\\$&');
      await output.write(`s${DELIMITER}${pattern}${END}${DELIMITER}${replacement}\\1${DELIMITER}g\n`);
    },
    end: () => output.end(),
  };
}

/** Whether a text can be a part of a command: it is one printable line without the delimiter. */
function isPlain(text: string): boolean {
  return !/[\p{Cc}"]/u.test(text);
}
