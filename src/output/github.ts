import { printable } from '../model/printable.ts';
import { failsRun, historyNotes, isNotFetched, outcomeLabel, type Result } from '../model/result.ts';
import type { Summary } from '../model/summary.ts';
import type { Sink } from '../results/sink.ts';
import { nameSuffix } from './format.ts';
import type { LineOutput } from './line-writer.ts';

/** Annotations of each level that GitHub shows per step. */
const MAX_ANNOTATIONS = 10;
const MAX_URL = 500;
const MAX_MESSAGE = 300;

/**
 * Writes failures and warnings as annotations of GitHub Actions (workflow commands): the first ten of each, and how many
 * more there are. Failures that do not fail the run are left out. All URLs that were not fetched are one more error.
 *
 * @param toRepositoryPath returns the path of a source within the repository, if it is a file there
 */
export function githubAnnotations(
  output: LineOutput,
  toRepositoryPath: (source: string) => string | undefined,
): Sink {
  const counts = { error: 0, warning: 0 };
  return {
    write(result) {
      const level = levelOf(result);
      if (level === undefined) return;
      counts[level] += 1;
      if (counts[level] > MAX_ANNOTATIONS) return;
      return output.write(annotation(level, result, toRepositoryPath(result.source)));
    },
    async end(summary) {
      await output.write(stoppedAnnotation(summary));
      const more = Object.entries(counts).flatMap(([level, count]) =>
        count > MAX_ANNOTATIONS ? [`${count - MAX_ANNOTATIONS} more ${level}s`] : [],
      );
      if (more.length > 0) {
        await output.write(
          `note: ${more.join(' and ')} without an annotation: GitHub shows ${MAX_ANNOTATIONS} of each\n`,
        );
      }
      await output.end();
    },
  };
}

function stoppedAnnotation({ notFetched, isListComplete }: Summary): string {
  if (notFetched === 0 && isListComplete) return '';
  const count = notFetched > 0 ? `, ${notFetched} ${notFetched === 1 ? 'URL' : 'URLs'} not fetched` : '';
  return `::error::run stopped${count}${isListComplete ? '' : ', the rest of the list was not read'}\n`;
}

function levelOf(result: Result): 'error' | 'warning' | undefined {
  if (isNotFetched(result)) return undefined;
  if (failsRun(result)) return 'error';
  return result.warning === undefined ? undefined : 'warning';
}

function annotation(level: string, result: Result, file: string | undefined): string {
  const place =
    file === undefined
      ? ''
      : ` file=${escapeProperty(file)},line=${result.line}${result.column === undefined ? '' : `,col=${result.column}`}`;
  const message = (result.failure ?? result.warning)?.message ?? '';
  const notes = historyNotes(result).map((note) => `(${note})`);
  const parts = [
    outcomeLabel(result),
    `${printable(result.url, MAX_URL)}${nameSuffix(result)}`,
    printable(message, MAX_MESSAGE),
    ...notes,
  ];
  return `::${level}${place}::${escapeData(parts.filter((part) => part !== '').join(' '))}\n`;
}

// The runner decodes these escapes (actions/runner, ActionCommand.cs). printable() has already escaped line ends.
function escapeData(text: string): string {
  return text.replaceAll('%', '%25');
}

function escapeProperty(text: string): string {
  return escapeData(printable(text)).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
