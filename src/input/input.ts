import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { didYouMean } from '../model/did-you-mean.ts';
import { errorCode, InputError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import type { Line } from './line-splitter.ts';
import { parseLine, percentEncoded } from './parse-job.ts';
import { startsWithHost } from './parse-url.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENXIO: 'it is a socket',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not valid UTF-16',
};

/** How many names of files are searched for one that was probably meant. */
const MAX_NAMES = 1000;

/** How many lines decide what an input looks like. */
const FIRST_LINES = 5;

const MARKUP = /^<(?!https?:)(?:[!?a-z][\w:!?-]*)(?:[\s>/]|$)/i;
const XML = /^<(?:\?xml|urlset|sitemapindex|rss|feed)\b/i;
/** Control characters that no text has. */
const BINARY = /[\0-\x08\x0e-\x1a\x1c-\x1f]/;
const PDF = /^%PDF-/;
const BASELINE = /^\{"url":.*"(?:kind|occurrence)":/;
const REPORT = /^\{"v":1,"(?:findings|differences)":/;
const TEXT_RESULT = /^(?:OK|WARN|FAIL|KNOWN) +(?:\d{3}|[a-z]+) +\S+ +[\d.]+m?s\b/;
const URL_START = /^["']?https?:\/\//i;
const URL_COLUMN =
  /^(?:urls?|ur[il]s?|links?|href|loc|location|address|website|web ?site|site|page|homepage)$/i;
const COLUMN_NAME = /^[\p{L}\p{N} _.-]{1,60}$/u;

const FILE_NAME =
  /^[^/?#:]*\.(?:txt|urls?|lst|list|csv|tsv|jsonl?|ndjson|xml|html?|md|rst|log|dat|out|ya?ml|toml|conf|gz|zip|bak|tmp)$/i;

/** Where URLs come from: a file, standard input, or one URL given as an argument. */
export type Input =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'url'; readonly url: string };

/** What an `INPUT` argument means: `-` is standard input, `http://` or `https://` starts a URL, anything else is a file. */
export function classifyInput(argument: string): Input {
  if (argument === '-') return { kind: 'stdin' };
  if (/^https?:\/\//i.test(argument)) return { kind: 'url', url: argument };
  return { kind: 'file', path: argument };
}

/**
 * Whether an argument that is not a file looks like a URL without its scheme: a host name with a dot, an IP address or
 * `localhost`, with or without port and path. `urls.txt` looks like a file.
 */
export function looksLikeHost(argument: string): boolean {
  return startsWithHost(argument) && !FILE_NAME.test(argument);
}

/** The name of an input in records and messages: its path, its URL without user and password, or `-`. */
export function inputName(input: Input): string {
  switch (input.kind) {
    case 'file':
      return input.path;
    case 'stdin':
      return '-';
    case 'url':
      return parseLine(input.url).url;
  }
}

/**
 * Throws an `InputError` for the first file that is missing, a directory, or not readable, before a run of hours starts.
 * Nothing is opened: opening a pipe would wait for its writer, and reading it would lose lines.
 */
export async function checkInputs(inputs: readonly Input[]): Promise<void> {
  // Without threads, which would take ten times as long: there may be thousands of documents.
  for (const input of inputs) if (input.kind === 'file') await checkFile(input.path);
}

async function checkFile(path: string): Promise<void> {
  try {
    statInputFile(path);
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw await withSuggestion(toInputError(path, error), path);
  }
}

/** Adds the name of a file beside a missing one that was probably meant. */
async function withSuggestion(error: InputError, path: string): Promise<InputError> {
  if (errorCode(error.cause) !== 'ENOENT') return error;
  const names = await readdir(dirname(path)).catch(() => []);
  const meant = didYouMean(basename(path), names.slice(0, MAX_NAMES));
  if (meant === undefined) return error;
  return new InputError(`${error.message}; did you mean "${excerpt(join(dirname(path), meant))}"?`, {
    cause: error.cause,
  });
}

/** The status of an input file. Throws an `InputError` if it is missing or a directory. */
export function statInputFile(path: string): Stats {
  try {
    const status = statSync(path);
    if (status.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return status;
  } catch (error) {
    throw toInputError(path, error);
  }
}

/** Converts what was thrown while an input was opened or read into an `InputError` that names the input and the reason. */
export function toInputError(name: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const code = errorCode(error) ?? String(error);
  const reason =
    code === 'ENOENT' && name.includes('://')
      ? 'must start with http:// or https://'
      : (REASONS[code] ?? code);
  const message = code.startsWith('Z_')
    ? `cannot unpack ${quotedInputName(name)}: the gzip data is damaged or cut off (${code})`
    : `cannot read ${quotedInputName(name)}: ${reason}`;
  return new InputError(message, { cause: error });
}

/** The name of an input as a message shows it: in quotes, printable, without the password of a URL. */
export function quotedInputName(name: string): string {
  if (name === '-') return 'standard input';
  return `"${excerpt(name)}"`;
}

/**
 * What the first lines of an input look like if they are not a list of URLs and JSON jobs, and what to do with it; otherwise
 * `undefined`. Looks at the first lines only, so that one bad line in a list is only a failed URL.
 */
export function foreignFormat(lines: readonly Line[]): string | undefined {
  const start = lines.slice(0, FIRST_LINES).map(plainText);
  const [first, second = ''] = start.filter((text) => text !== '' && !text.startsWith('#'));
  if (first === undefined) return undefined;
  if (PDF.test(first) || (start.some((text) => BINARY.test(text)) && !start.some(isLineOfList))) {
    return 'binary data; write one URL per line, as text in UTF-8, and unpack what is packed, except gzip';
  }
  if (XML.test(first)) return 'XML; if it is a sitemap, use --sitemap';
  if (MARKUP.test(first)) return 'HTML or XML; use --extract for the links in it, or --sitemap for a sitemap';
  if (first === '[' || /^\[\s*["{]/.test(first)) {
    return 'a JSON array; write one URL or JSON job per line, as "jq -c .[]" does';
  }
  if (REPORT.test(first)) return 'a JSON report of fanout; fetch the list of --failed instead';
  if (BASELINE.test(first))
    return 'a baseline; to fetch its URLs, pipe them in with "jq -r .url FILE | fanout fetch"';
  if (isOpenObject(first) && /^["{}[]/.test(second)) {
    return 'JSON over several lines; write one URL or JSON job per line, as "jq -c" does';
  }
  if (TEXT_RESULT.test(first) || isRecord(first)) {
    return 'a result file; use "fanout report" to read it, or fetch the list of --failed';
  }
  if (isObjectWithoutUrl(first) && (second === '' || isObjectWithoutUrl(second))) {
    return 'JSON without a "url"; make a job of each line, as "jq -c" does with \'{url: "https://...", json: .}\'';
  }
  const column = urlColumn(first, second);
  return column === undefined ? undefined : `CSV or TSV; use --column ${column}`;
}

/** Whether a line is most likely meant as a URL or a job: it may be one bad line of a list. */
function isLineOfList(text: string): boolean {
  return URL_START.test(text) || text.startsWith('{') || startsWithHost(text);
}

/** Whether a line is the start of a JSON object that goes on in the next line. */
function isOpenObject(line: string): boolean {
  return /^\{\s*(?:$|".*[{[,:]$)/.test(line);
}

function plainText(line: Line): string {
  if (typeof line === 'string') return line.trim();
  return ('start' in line ? line.start : percentEncoded(line)).trim();
}

/** Whether a line is an object that is no job, such as the body of one. */
function isObjectWithoutUrl(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !('url' in value);
  } catch {
    return false;
  }
}

/** Whether a line is a result record. */
function isRecord(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    const value: unknown = JSON.parse(line);
    return (
      typeof value === 'object' && value !== null && 'url' in value && 'ok' in value && 'attempts' in value
    );
  } catch {
    return false;
  }
}

/** The name or number of the column with URLs, if the line is the first one of a table. */
function urlColumn(first: string, second: string): string | undefined {
  for (const delimiter of ['\t', ',', ';']) {
    const cells = first.split(delimiter).map(unquoted);
    if (cells.length === 1) continue;
    if (cells.every((cell) => COLUMN_NAME.test(cell))) {
      const name = cells.find((cell) => URL_COLUMN.test(cell));
      const index = second.split(delimiter).findIndex((cell) => URL_START.test(cell));
      if (name !== undefined) return quotedForShell(name);
      if (index !== -1) return quotedForShell(cells[index] ?? String(index + 1));
      continue;
    }
    const index = first.split(delimiter).findIndex((cell) => URL_START.test(cell.trim()));
    // A comma or semicolon may be a part of a URL.
    const isSure = index > 0 || (index === 0 && first.startsWith('"') && first.includes(`"${delimiter}`));
    if (isSure || (index === 0 && delimiter === '\t' && second.includes('\t'))) return String(index + 1);
  }
  return undefined;
}

function unquoted(cell: string): string {
  return cell.trim().replace(/^"(.*)"$/, '$1');
}

function quotedForShell(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `"${printable(name, 60)}"`;
}
