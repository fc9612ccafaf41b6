import { encodeRecordCached } from '../../model/record.ts';
import { isNotFetched, isShownQuietly, type ReportKind } from '../../model/result.ts';
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
