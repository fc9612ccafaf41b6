import type { Sink } from '../../collect/sink.ts';
import type { LineOutput } from '../line-writer.ts';
import type { Paint } from '../paint.ts';
import { summaryText } from '../summary-text.ts';
import { textLine } from '../text.ts';
import { isFinding } from './json.ts';
import { ReportFold } from './report-fold.ts';

export interface TextReportOptions {
  readonly paint: Paint;
  /** Leaves out the results that are no more than OK. */
  readonly quiet: boolean;
}

/** `fanout report --format text`: a line for each result, and the summary as far as the records tell it. */
export function textReport(output: LineOutput, { paint, quiet }: TextReportOptions): Sink {
  const fold = new ReportFold();
  const line = textLine(paint);
  return {
    write(result) {
      fold.add(result);
      if (!quiet || isFinding(result)) return output.write(line(result));
    },
    async end() {
      await output.write(summaryText(fold.asRun(), paint));
      await output.end();
    },
  };
}
