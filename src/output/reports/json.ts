import { encodeRecordCached } from '../../model/record.ts';
import type { Sink } from '../../results/sink.ts';
import { escapeJson } from '../jsonl.ts';
import type { LineOutput } from '../line-writer.ts';
import { isFinding, ReportFold, type ReportSummary } from './aggregate.ts';

/**
 * `--report json`: one JSON document, `{"v":1,"findings":[…],"summary":{…}}`. The findings are the records of failures,
 * warnings, URLs that were not fetched and URLs that failed in the baseline, one per line, in the order of the results.
 */
export function jsonReport(output: LineOutput): Sink {
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
