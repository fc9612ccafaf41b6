import { movedTo } from '../../model/result.ts';
import type { Sink } from '../../results/sink.ts';
import type { LineOutput } from '../line-writer.ts';

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
    async end() {
      await output.end();
    },
  };
}

/** Whether a text can be a part of a command: it is one printable line without the delimiter. */
function isPlain(text: string): boolean {
  return !/[\p{Cc}"]/u.test(text);
}
