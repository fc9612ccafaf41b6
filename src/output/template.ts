import type { LineField, LinePart } from '../config/parse/record-format.ts';
import { printable } from '../model/printable.ts';
import { bodyLength, isNotFetched, type Result, verdictOf } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { formatBytes, formatDuration, urlColumn } from './format.ts';
import type { LineOutput } from './line-writer.ts';

/**
 * `--template`: one line per result, with the values of its fields; `-` for a field without a value. As in the text format,
 * URLs that were not fetched have no line, and values have no control characters.
 */
export function templateSink(output: LineOutput, template: readonly LinePart[]): Sink {
  return {
    write: (result) => (isNotFetched(result) ? undefined : output.write(templateLine(template, result))),
    end: () => output.end(),
  };
}

function templateLine(template: readonly LinePart[], result: Result): string {
  return `${template.map((part) => ('text' in part ? part.text : fieldValue(part.field, result))).join('')}\n`;
}

function fieldValue(field: LineField, result: Result): string {
  switch (field) {
    case 'url':
      return urlColumn(result.url);
    case 'finalUrl':
      return urlColumn(result.finalUrl ?? result.url);
    case 'redirects':
      return String(result.redirects.length);
    case 'startedAt':
      return new Date(result.startedAt).toISOString();
    case 'path':
    case 'sha256':
      return text(result.body?.[field]);
    case 'kind':
    case 'code':
    case 'message':
      return text((result.failure ?? result.warning)?.[field]);
    case 'verdict':
      return verdictOf(result);
    case 'time':
      return formatDuration(result.durationMs);
    case 'size':
      return formatBytes(bodyLength(result));
    default:
      return text(result[field]);
  }
}

function text(value: string | number | boolean | undefined): string {
  if (value === undefined || value === '') return '-';
  return typeof value === 'string' ? printable(value) : String(value);
}
