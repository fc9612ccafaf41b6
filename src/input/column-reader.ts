import { didYouMean } from '../model/did-you-mean.ts';
import { InputError } from '../model/errors.ts';
import { quotedInputName } from './input.ts';
import { type Line, MAX_LINE_BYTES } from './line-splitter.ts';
import { percentEncoded } from './parse-job.ts';
import { redactedExcerpt } from './parse-url.ts';

/** Which column of a table has the URLs: its name in the first row, or its number, from 1. */
export type Column = string | number;

/** A cell of the column, or why a row has none. */
export type Cell = { readonly line: number } & ({ readonly text: string } | { readonly fault: string });

// A cell without any of them is the name of a column.
const URL_MARK = /[.:/]/;

/**
 * Reads one column of a CSV or TSV file (RFC 4180), line by line. The delimiter is a tab if the first row has one, otherwise
 * the comma or semicolon that the row has more of.
 * - With a name, the first row has the names of the columns. With a number, it is skipped if its cell is not like a URL.
 * - A row that is not valid, longer than 1 MiB, or too short becomes a fault. Blank lines are skipped.
 */
export class ColumnReader {
  readonly #column: Column;
  readonly #name: string;
  readonly #rows = new RowParser();
  /** Index of the column. Unset before the first row. */
  #index: number | undefined;
  /** The line in which the row begins that is being read. */
  #rowLine = 0;

  /** @param name the name of the input, for messages */
  constructor(column: Column, name: string) {
    this.#column = column;
    this.#name = name;
  }

  /**
   * Returns the cells of the rows that these lines complete. Throws an `InputError` if the first row does not have the column.
   */
  push(lines: readonly Line[], firstLine: number): Cell[] {
    return lines.flatMap((line, at) => this.#readLine(line, firstLine + at) ?? []);
  }

  /** Returns a fault if the last row ends in a quoted field that is not closed. */
  end(): Cell[] {
    return this.#rows.isOpen ? [{ line: this.#rowLine, fault: 'invalid row: a quote is not closed' }] : [];
  }

  #readLine(line: Line, number: number): Cell | undefined {
    if (!this.#rows.isOpen) this.#rowLine = number;
    if (typeof line !== 'string' && 'start' in line) {
      this.#rows.reset();
      return { line: number, fault: 'invalid row: must not be longer than 1 MiB' };
    }
    const text = typeof line === 'string' ? line : percentEncoded(line);
    if (!this.#rows.isOpen && text.trim() === '') return undefined;
    const row = this.#rows.push(text);
    if (row === undefined) return undefined;
    if (typeof row === 'string') return { line: this.#rowLine, fault: `invalid row: ${row}` };
    return this.#cellOf(row);
  }

  #cellOf(row: readonly string[]): Cell | undefined {
    const line = this.#rowLine;
    const isFirst = this.#index === undefined;
    const index = this.#index ?? this.#findColumn(row);
    this.#index = index;
    const text = row[index];
    if (isFirst && (typeof this.#column === 'string' || (text !== undefined && !URL_MARK.test(text)))) {
      return undefined;
    }
    if (text !== undefined) return { line, text };
    return {
      line,
      fault: `invalid row: has ${row.length} of the ${index + 1} columns up to that of --column`,
    };
  }

  #findColumn(names: readonly string[]): number {
    const column = this.#column;
    if (typeof column === 'number') {
      if (column <= names.length) return column - 1;
      const count = names.length === 1 ? '1 column' : `${names.length} columns`;
      throw new InputError(
        `no column ${column} in ${quotedInputName(this.#name)}: the first row (line ${this.#rowLine}) has ${count}`,
      );
    }
    const trimmed = names.map((name) => name.trim());
    const exact = trimmed.indexOf(column);
    if (exact !== -1) return exact;
    const found = trimmed.findIndex((name) => name.toLowerCase() === column.toLowerCase());
    if (found !== -1) return found;
    const closest = didYouMean(column, trimmed);
    const hint =
      closest === undefined
        ? `the first row has ${redactedExcerpt(trimmed.join(', '))}`
        : `did you mean "${redactedExcerpt(closest)}"?`;
    throw new InputError(
      `no column "${redactedExcerpt(column)}" in ${quotedInputName(this.#name)} (line ${this.#rowLine}): ${hint}`,
    );
  }
}

/** Splits rows into cells. A quoted cell may contain line breaks, so a row may have several lines. */
class RowParser {
  #delimiter: string | undefined;
  #cells: string[] = [];
  /** The text so far of a quoted cell that is not closed. */
  #quoted: string | undefined;
  #length = 0;

  get isOpen(): boolean {
    return this.#quoted !== undefined;
  }

  /** Forgets the lines of an unfinished row. */
  reset(): void {
    this.#cells = [];
    this.#quoted = undefined;
    this.#length = 0;
  }

  /** Returns the cells of the row that the line completes, `undefined` if it is not complete, or why it is not valid. */
  push(line: string): readonly string[] | string | undefined {
    this.#delimiter ??= findDelimiter(line);
    this.#length += line.length + 1;
    if (this.#length > MAX_LINE_BYTES) return this.#fail('must not be longer than 1 MiB');
    for (let at = 0; at <= line.length; ) {
      const end = this.isOpen || line[at] === '"' ? this.#readQuoted(line, at) : this.#readPlain(line, at);
      if (end === undefined) return undefined;
      if (end < line.length && line[end] !== this.#delimiter) {
        return this.#fail('there is text after a closing quote');
      }
      at = end + 1;
    }
    const cells = this.#cells;
    this.reset();
    return cells;
  }

  #readPlain(line: string, start: number): number {
    const next = line.indexOf(this.#delimiter ?? ',', start);
    const end = next === -1 ? line.length : next;
    this.#cells.push(line.slice(start, end));
    return end;
  }

  /** Returns the offset after the closing quote, or `undefined` if it is not in this line. */
  #readQuoted(line: string, start: number): number | undefined {
    let text = this.#quoted ?? '';
    let at = this.isOpen ? start : start + 1;
    for (;;) {
      const quote = line.indexOf('"', at);
      if (quote === -1) {
        this.#quoted = `${text}${line.slice(at)}\n`;
        return undefined;
      }
      text += line.slice(at, quote);
      if (line[quote + 1] !== '"') {
        this.#quoted = undefined;
        this.#cells.push(text);
        return quote + 1;
      }
      text += '"';
      at = quote + 2;
    }
  }

  #fail(reason: string): string {
    this.reset();
    return reason;
  }
}

function findDelimiter(row: string): string {
  const unquoted = row.replace(/"[^"]*"/g, '');
  if (unquoted.includes('\t')) return '\t';
  return unquoted.split(';').length > unquoted.split(',').length ? ';' : ',';
}
