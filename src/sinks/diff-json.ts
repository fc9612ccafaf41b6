import type { Snapshot } from '../model/compare-results.ts';
import type { DiffSink } from './diff-sink.ts';
import { escapeJson } from './escape-json.ts';
import type { LineOutput } from './line-writer.ts';

/**
 * `fanout diff --format json`: one JSON document, `{"v":1,"differences":[…],"summary":{…}}`, each difference on a line of its
 * own. A URL that differs in several ways has a difference for each.
 */
export function diffJsonSink(output: LineOutput): DiffSink {
  let before = '{"v":1,"differences":[\n';
  return {
    write({ change, old, now, result }) {
      const { url, method, source, line, failure } = result;
      const json = JSON.stringify({
        ...{ change, url, method, source, line, failure },
        old: old === undefined ? null : shown(old),
        new: shown(now),
      });
      const text = before + escapeJson(json);
      before = ',\n';
      return output.write(text);
    },
    async end(counts) {
      const start = before === ',\n' ? '' : before;
      await output.write(`${start}\n],"summary":${JSON.stringify(counts)}}\n`);
      await output.end();
    },
  };
}

function shown({ ok, label, finalUrl, bytes, sha256, durationMs }: Snapshot): object {
  return { ok, outcome: label, finalUrl, bytes, sha256, durationMs };
}
