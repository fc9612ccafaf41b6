import type { Sink } from '../../collect/sink.ts';
import type { ReportKind } from '../../model/report-kind.ts';
import { csvSink } from '../csv.ts';
import type { LineOutput } from '../line-writer.ts';
import { htmlReport } from './html.ts';
import { jsonReport } from './json.ts';
import { junitReport } from './junit.ts';
import { markdownReport } from './markdown.ts';

/**
 * The report of this kind: a function of the results alone, so it is the same whether it is made while they come or after.
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
    case 'csv':
      return csvSink(output);
  }
}
