import { sharedRecord } from '../../model/record.ts';
import type { Result } from '../../model/result.ts';
import type { Sink } from '../../results/sink.ts';
import { escapeJson } from '../format.ts';
import type { LineOutput } from '../line-writer.ts';
import { ReportFold, type ReportSummary } from './aggregate.ts';

/**
 * `--report json`: one JSON document, `{"v":1,"findings":[…],"summary":{…}}`. The findings are the records of all
 * results that are more than OK: failures, warnings and what was mended, each on a line of its own, as they come.
 */
export function jsonReport(output: LineOutput): Sink {
  const fold = new ReportFold();
  let before = '{"v":1,"findings":[\n';
  return {
    write(result) {
      fold.add(result);
      if (!isFinding(result)) return;
      const line = before + escapeJson(sharedRecord(result));
      before = ',\n';
      return output.write(line);
    },
    async end() {
      const start = before === ',\n' ? '' : before;
      await output.write(`${start}\n],"summary":${escapeJson(JSON.stringify(plain(fold.summary())))}}\n`);
      await output.end();
    },
  };
}

/** Whether a report has to name a result: it failed, it passed with a warning, or it failed before. */
export function isFinding({ ok, warning, baseline }: Result): boolean {
  return !ok || warning !== undefined || baseline === 'mended';
}

/** Times as text, as they stand in a record. */
function plain({ startedAt, endedAt, ...counts }: ReportSummary): object {
  if (startedAt === undefined || endedAt === undefined) return counts;
  return {
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    ...counts,
  };
}
