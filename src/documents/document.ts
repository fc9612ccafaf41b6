import { extname } from 'node:path';

/** A link in a document. */
export interface Link {
  /** As it is written, without escapes, entities and line breaks: a URL, or a path that is relative to the document. */
  readonly href: string;
  /** Of its first character, from 1. */
  readonly line: number;
  /** Of its first character in UTF-16 units, from 1. */
  readonly column: number;
  /** What a reader sees instead of it, if that is something else. */
  readonly text?: string;
}

/** The links of a document, in the order of their places. */
export interface Extraction {
  readonly links: readonly Link[];
  /** The `href` of `<base>`, to which all relative links of the document are relative. */
  readonly base?: string | undefined;
}

/** How links are found in a document. */
export type DocumentFormat = 'markdown' | 'html' | 'xml' | 'rst' | 'json' | 'source' | 'text';

const FORMATS: readonly (readonly [DocumentFormat, string])[] = [
  ['markdown', 'md markdown mdx mkd mkdn mdwn mdown mdtxt rmd qmd'],
  ['html', 'html htm xhtml shtml vue'],
  ['xml', 'xml rss atom rdf svg xsl xslt opml'],
  ['rst', 'rst rest'],
  ['json', 'json jsonc json5 jsonl ndjson geojson webmanifest ipynb'],
  ['text', 'txt text adoc asciidoc org tex bib log yaml yml toml ini cfg conf properties csv tsv'],
  [
    'source',
    'js mjs cjs jsx ts mts cts tsx java c h cc cpp cxx hpp hh cs go rs swift kt kts scala php dart groovy gradle zig ' +
      'css scss less proto py pyi rb sh bash zsh fish pl pm r ex exs nim jl ps1 tf hcl sql lua hs elm',
  ],
];

const FORMAT_BY_EXTENSION: ReadonlyMap<string, DocumentFormat> = new Map(
  FORMATS.flatMap(([format, extensions]) =>
    extensions.split(' ').map((extension) => [`.${extension}`, format] as const),
  ),
);

/** The formats of the files that are read in a directory; others only if they are named. */
const PROSE: ReadonlySet<DocumentFormat | undefined> = new Set(['markdown', 'html', 'rst']);
const PROSE_EXTENSION = /\.(?:txt|adoc|asciidoc)$/i;

/** Whether a file is read if its directory is an input: it is a text for readers, by its extension. */
export function isProse(path: string): boolean {
  return PROSE.has(FORMAT_BY_EXTENSION.get(extname(path).toLowerCase())) || PROSE_EXTENSION.test(path);
}

/** The format of a document by the extension of its name, or else by how its text starts. */
export function formatOf(name: string, text: string): DocumentFormat {
  const named = FORMAT_BY_EXTENSION.get(extname(name.replace(/\.gz$/i, '')).toLowerCase());
  if (named !== undefined) return named;
  const start = text.slice(0, 1024).trimStart();
  if (/^<(?:!doctype html|html|head|body)\b/i.test(start)) return 'html';
  if (/^<(?:\?xml|rss|feed|urlset|sitemapindex|svg)\b/i.test(start)) return 'xml';
  if (/^[[{]/.test(start) && isJson(text)) return 'json';
  if (/^(?:#{1,6} |---\n)|\]\(\S+\)|^\[[^\]\n]+\]: \S/m.test(text)) return 'markdown';
  return 'text';
}

/** The format of a document by its media type; `undefined` if that does not show it. */
export function formatOfType(contentType = ''): DocumentFormat | undefined {
  const [type = ''] = contentType.toLowerCase().split(';', 1);
  if (/\/(?:html|xhtml\+xml)\s*$/.test(type)) return 'html';
  if (/[/+]xml\s*$/.test(type)) return 'xml';
  if (/[/+]json\s*$/.test(type)) return 'json';
  return /\/(?:x-)?markdown\s*$/.test(type) ? 'markdown' : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text of a document as all extractors expect it: without a byte-order mark, and with `\n` as its only line end. */
export function normalizeText(text: string): string {
  const start = text.startsWith('\ufeff') ? 1 : 0;
  return text.slice(start).replace(/\r\n?/g, '\n');
}

/** The lines of a text, for the places of its characters. */
export class LineMap {
  /** Offsets of the first characters of all lines. */
  readonly #starts: readonly number[];

  constructor(text: string) {
    const starts = [0];
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
    this.#starts = starts;
  }

  /** The line and column of a character, both from 1. */
  placeOf(offset: number): Pick<Link, 'line' | 'column'> {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  }
}

/** A link at an offset of the text in which it was found. */
export type FoundLink = Pick<Link, 'href' | 'text'> & { readonly offset: number };

/** Gives links their places, and sorts them by these. */
export function toExtraction(text: string, found: readonly FoundLink[]): Extraction {
  const lines = new LineMap(text);
  const links = found.map(({ offset, ...link }) => ({ ...link, ...lines.placeOf(offset) }));
  return { links: links.sort(byPlace) };
}

export function byPlace(a: Link, b: Link): number {
  return a.line - b.line || a.column - b.column;
}
