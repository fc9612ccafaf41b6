import { printable } from '../model/printable.ts';
import { failsRun, outcomeLabel, type Result, standingNotes } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import type { LineOutput } from './line-writer.ts';

/** GitHub shows so many annotations of each level for one step. */
const SHOWN = 10;
const MAX_URL = 500;
const MAX_MESSAGE = 300;

/**
 * Failures and warnings as annotations of GitHub Actions (its workflow commands), the first ten of each; the others are
 * counted. Failures that do not fail the run get none.
 *
 * @param fileOf the path of a source within the repository, if it is a file there
 */
export function githubAnnotations(output: LineOutput, fileOf: (source: string) => string | undefined): Sink {
  const counts = { error: 0, warning: 0 };
  return {
    write(result) {
      const level = levelOf(result);
      if (level === undefined) return;
      counts[level] += 1;
      if (counts[level] <= SHOWN) return output.write(annotation(level, result, fileOf(result.source)));
    },
    async end() {
      const more = Object.entries(counts).flatMap(([level, count]) =>
        count > SHOWN ? [`${count - SHOWN} more ${level}s`] : [],
      );
      if (more.length > 0)
        await output.write(
          `fanout: ${more.join(' and ')} without an annotation: GitHub shows ${SHOWN} of each\n`,
        );
      await output.end();
    },
  };
}

function levelOf(result: Result): 'error' | 'warning' | undefined {
  if (failsRun(result)) return 'error';
  return result.warning === undefined ? undefined : 'warning';
}

function annotation(level: string, result: Result, file: string | undefined): string {
  const place = file === undefined ? '' : ` file=${property(file)},line=${result.line}`;
  const message = (result.failure ?? result.warning)?.message ?? '';
  const notes = standingNotes(result).map((note) => `(${note})`);
  const parts = [
    outcomeLabel(result),
    printable(result.url, MAX_URL),
    printable(message, MAX_MESSAGE),
    ...notes,
  ];
  return `::${level}${place}::${data(parts.filter((part) => part !== '').join(' '))}\n`;
}

// What the runner puts back, see its ActionCommand.cs. Line ends are escaped by printable() already.
function data(text: string): string {
  return text.replaceAll('%', '%25');
}

function property(text: string): string {
  return data(printable(text)).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
