import { printable } from '../model/printable.ts';
import type { Change, DiffCounts, Difference, RemovedUrl, Snapshot } from '../results/diff.ts';
import { formatBytes, formatDuration, nameSuffix, type Paint, urlColumn } from './format.ts';
import { escapeJson } from './jsonl.ts';
import type { LineOutput } from './line-writer.ts';

/** Takes the differences between two runs. As with a `Sink`, a promise from `write` asks the caller to wait. */
export interface DiffSink {
  write(difference: Difference): void | Promise<void>;
  writeRemoved(removed: RemovedUrl): void | Promise<void>;
  end(counts: DiffCounts): Promise<void>;
}

interface DiffTextOptions {
  readonly paint: Paint;
  /** Writes only URLs that newly fail. */
  readonly quiet: boolean;
}

/** `fanout diff`: one line per difference and removed URL, with the columns of `--format text`, and the counts at the end. */
export function diffTextSink(output: LineOutput, { paint, quiet }: DiffTextOptions): DiffSink {
  return {
    write(difference) {
      if (!quiet || difference.change === 'newlyFailing') return output.write(line(difference, paint));
    },
    writeRemoved({ url, id, old }) {
      if (quiet) return;
      const name = id === undefined ? '' : ` [${printable(id, 100)}]`;
      return output.write(`${paint.warn('REMOVED')}  ${old.label}  ${urlColumn(url)}${name}\n`);
    },
    async end(counts) {
      await output.write(countsText(counts, paint));
      await output.end();
    },
  };
}

/**
 * `fanout diff --format json`: one JSON document, `{"v":1,"differences":[…],"summary":{…}}`, with one difference per line. A
 * URL that differs in several ways has several differences.
 */
export function diffJsonSink(output: LineOutput): DiffSink {
  let prefix = '{"v":1,"differences":[\n';
  const add = (difference: object) => {
    const text = prefix + escapeJson(JSON.stringify(difference));
    prefix = ',\n';
    return output.write(text);
  };
  return {
    write({ change, old, now, result }) {
      const { url, method, id, source, line, failure } = result;
      return add({
        ...{ change, url, method, id, source, line, failure },
        old: old === undefined ? null : toJson(old),
        new: toJson(now),
      });
    },
    writeRemoved: ({ method, url, id, old }) =>
      add({ change: 'removed', url, method, id, old: toJson(old), new: null }),
    async end(counts) {
      const start = prefix === ',\n' ? '' : prefix;
      await output.write(`${start}\n],"summary":${JSON.stringify(counts)}}\n`);
      await output.end();
    },
  };
}

function toJson({ ok, label, finalUrl, bytes, sha256, durationMs }: Snapshot): object {
  return { ok, outcome: label, finalUrl, bytes, sha256, durationMs };
}

function line(difference: Difference, paint: Paint): string {
  const { change, now, result } = difference;
  const word = change === 'newlyFailing' ? 'FAILING' : change.toUpperCase();
  const verdict = paintOf(change, paint)(word.padEnd(7));
  return `${verdict}  ${now.label}  ${urlColumn(result.url)}${nameSuffix(result)}  ${details(difference)}\n`;
}

function paintOf(change: Change, paint: Paint): (text: string) => string {
  if (change === 'newlyFailing') return paint.fail;
  return change === 'fixed' ? paint.ok : paint.warn;
}

function details({ change, old, now, result }: Difference): string {
  switch (change) {
    case 'newlyFailing': {
      const before = old === undefined ? '(added)' : `(was ${old.label})`;
      return [printable(result.failure?.message ?? ''), before].filter((part) => part !== '').join(' ');
    }
    case 'fixed':
      return `(was ${old?.label})`;
    case 'moved':
      return `-> ${target(now, result.url)} (was ${target(old, result.url)})`;
    case 'slower':
      return `${formatDuration(now.durationMs)} (was ${formatDuration(old?.durationMs ?? 0)})`;
    case 'changed':
      return `${content(now)} (was ${old === undefined ? '-' : content(old)})`;
  }
}

function target(snapshot: Snapshot | undefined, url: string): string {
  return urlColumn(snapshot?.finalUrl ?? url);
}

function content({ label, bytes, sha256 }: Snapshot): string {
  return `${label} ${formatBytes(bytes)}${sha256 === undefined ? '' : ` ${printable(sha256.slice(0, 12))}`}`;
}

function countsText(counts: DiffCounts, paint: Paint): string {
  const { newlyFailing, fixed, moved, slower, changed, added, removed, stillFailing, same, notFetched } =
    counts;
  const failing = `${newlyFailing} newly failing`;
  const stopped = notFetched > 0 ? `, ${paint.fail(`${notFetched} not fetched`)}` : '';
  return (
    `\n${paint.strong('Diff:')} ${newlyFailing > 0 ? paint.fail(failing) : failing}, ${fixed} fixed, ${moved} moved, ` +
    `${slower} slower, ${changed} changed, ${removed} removed${stopped}\n` +
    `  ${paint.dim('also')}  ${same} unchanged, ${stillFailing} still failing, ${added} added\n`
  );
}
