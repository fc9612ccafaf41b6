import type { Sink } from '../../collect/sink.ts';
import type { LineOutput } from '../line-writer.ts';
import { markdownGroups } from './markdown-groups.ts';
import { markdownHead, markdownHosts } from './markdown-head.ts';
import { ReportFold } from './report-fold.ts';
import { Samples } from './samples.ts';

/** GitHub takes comments of 65,536 characters and job summaries of 1 MiB; what is more is left out, and it is said. */
const MAX_BYTES = 60_000;

const LIMITS = { section: 500, group: 200 };

/** `--report markdown`: a verdict, the worst hosts, and tables of failures by kind, in the length of one comment. */
export function markdownReport(output: LineOutput): Sink {
  const fold = new ReportFold();
  const samples = new Samples(LIMITS);
  return {
    write(result) {
      fold.add(result);
      samples.add(result);
    },
    async end() {
      const summary = fold.summary();
      const head = markdownHead(summary) + markdownHosts(summary.worstHosts);
      await output.write(head + markdownGroups(samples.groups(), MAX_BYTES - Buffer.byteLength(head)));
      await output.end();
    },
  };
}
