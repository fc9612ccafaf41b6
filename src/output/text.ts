import type { LineField, LinePart, TlsField } from '../config/parse/record-format.ts';
import { printable } from '../model/printable.ts';
import {
  bodyLength,
  historyNotes,
  isNotFetched,
  outcomeLabel,
  type Result,
  verdictOf,
} from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { formatBytes, formatDuration, jobName, type Paint, place, urlColumn } from './format.ts';
import type { LineOutput } from './line-writer.ts';

/** `--format text`: one line per result. URLs that were not fetched have none; the summary counts them. */
export function textSink(output: LineOutput, paint: Paint): Sink {
  const line = textLine(paint);
  return {
    write: (result) => (isNotFetched(result) ? undefined : output.write(line(result))),
    end: () => output.end(),
  };
}

/**
 * Returns the function that formats a result as a line: verdict, status or kind, URL, time, and then the size or the message.
 * The first three columns contain no white space.
 */
export function textLine(paint: Paint): (result: Result) => string {
  // As wide as the longest verdict and the space after it.
  const verdicts = {
    OK: paint.ok('OK    '),
    WARN: paint.warn('WARN  '),
    FAIL: paint.fail('FAIL  '),
    KNOWN: paint.warn('KNOWN '),
  };
  return (result) => {
    const time = paint.dim(formatDuration(result.durationMs).padStart(4));
    return `${verdicts[verdictOf(result)]}${label(result)}  ${urlColumn(result.url)}  ${time}${details(result, paint)}\n`;
  };
}

/** Of a warning the status, since its kind is part of the message. */
function label(result: Result): string {
  const { warning, status } = result;
  return warning === undefined || status === undefined ? outcomeLabel(result) : String(status);
}

/** `  1.2kB (3 attempts, truncated) -> https://example.com/final`, `  Not Found (3 attempts) -> https://example.com/final`. */
function details(result: Result, paint: Paint): string {
  const { failure, warning, finalUrl } = result;
  const end = finalUrl === undefined ? '' : ` -> ${urlColumn(finalUrl)}`;
  if (failure !== undefined) return text(failure.message) + notes(result, paint) + end;
  if (warning !== undefined) return text(`${warning.kind}: ${warning.message}`) + notes(result, paint) + end;
  return `  ${paint.dim(formatBytes(bodyLength(result)))}${notes(result, paint)}${end}`;
}

function text(message: string): string {
  return message === '' ? '' : `  ${printable(message)}`;
}

function notes(result: Result, paint: Paint): string {
  const { truncated, decidedBy, baseline, badRuns, file } = result;
  // The message says of a deleted one what became of the file.
  const isFileShown = file !== undefined && file !== 'deleted';
  // A HEAD that was refused is no failed attempt.
  const attempts = decidedBy === undefined ? result.attempts : result.attempts - 1;
  const name = jobName(result);
  // A link in a document is repaired where it is written.
  const isPlaced = result.column !== undefined && (!result.ok || result.warning !== undefined);
  if (
    name === undefined &&
    !isPlaced &&
    attempts < 2 &&
    !truncated &&
    !isFileShown &&
    baseline === undefined &&
    badRuns === undefined
  )
    return '';
  // The verdict says that a failure is known.
  const all = historyNotes(result).filter((note) => note !== 'known');
  if (truncated) all.unshift('truncated');
  if (isFileShown) all.unshift(file);
  if (attempts > 1) all.unshift(`${attempts} attempts`);
  if (name !== undefined) all.unshift(printable(result.id === undefined ? name : `id ${name}`, 100));
  if (isPlaced) all.unshift(printable(place(result), 200));
  return all.length === 0 ? '' : ` ${paint.warn(`(${all.join(', ')})`)}`;
}

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
      return shown(result.body?.[field]);
    case 'kind':
    case 'code':
    case 'message':
      return shown((result.failure ?? result.warning)?.[field]);
    case 'tlsProtocol':
    case 'tlsCipher':
    case 'tlsAlpn':
    case 'tlsSubject':
    case 'tlsIssuer':
    case 'tlsValidFrom':
    case 'tlsValidTo':
    case 'tlsDaysLeft':
      return shown(tlsFact(result, field));
    case 'verdict':
      return verdictOf(result);
    case 'time':
      return formatDuration(result.durationMs);
    case 'size':
      return formatBytes(bodyLength(result));
    default:
      return shown(result[field]);
  }
}

/** The value of a column or field that is named after a key of `tls`. */
export function tlsFact({ tls }: Result, name: TlsField): string | number | undefined {
  switch (name) {
    case 'tlsProtocol':
      return tls?.protocol;
    case 'tlsCipher':
      return tls?.cipher;
    case 'tlsAlpn':
      return tls?.alpn;
    case 'tlsSubject':
      return tls?.subject;
    case 'tlsIssuer':
      return tls?.issuer;
    case 'tlsValidFrom':
      return tls?.validFrom;
    case 'tlsValidTo':
      return tls?.validTo;
    case 'tlsDaysLeft':
      return tls?.daysLeft;
  }
}

function shown(value: string | number | boolean | undefined): string {
  if (value === undefined || value === '') return '-';
  return typeof value === 'string' ? printable(value) : String(value);
}
