import { REPORT_KINDS, type ReportKind } from '../../model/report-kind.ts';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { fileName } from './text.ts';

/** A report that is asked for, and the file it goes to. */
export interface ReportFile {
  readonly kind: ReportKind;
  readonly file: string;
}

const WISH = `it must look like KIND=FILE, with a kind out of ${REPORT_KINDS.join(', ')}`;

/** Reports: `junit=report.xml`, a list of these, or an object of kinds and files. */
export const reports: Parser<readonly ReportFile[]> = {
  parse: (value) => Object.freeze(entriesOf(value).map(([kind, file]) => parseReport(kind, file))),
  print: (list) => list.map(({ kind, file }) => `${kind}=${file}`),
  suggestions: REPORT_KINDS.map((kind) => `${kind}=`),
};

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value === 'string') return [split(value)];
  if (Array.isArray(value)) return value.map(split);
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new BadValue(WISH);
}

function split(text: unknown): readonly [string, string] {
  const equals = typeof text === 'string' ? text.indexOf('=') : -1;
  if (typeof text !== 'string' || equals === -1) throw new BadValue(WISH);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function parseReport(name: string, file: unknown): ReportFile {
  const kind = REPORT_KINDS.find((one) => one === name);
  if (kind === undefined) throw new BadValue(WISH);
  if (file === '-') throw new BadValue('it must name a file: "fanout report" writes to standard output');
  return Object.freeze({ kind, file: fileName.parse(file) });
}
