import { extname } from 'node:path';
import { type Extraction, type FoundLink, toExtraction } from './document.ts';

/** A URL up to white space, and to characters that no URL has. Whether the last ones belong to it is decided afterwards. */
const URL_TEXT = /(?<![a-z0-9])https?:\/\/[^\s<>"`\\|^\x00-\x1f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+/gi;

/** Characters that end a sentence or emphasis more often than a URL. */
const TRAILING = /[.,;:!?'*~\u2018-\u201d\u2026]+$/;

const BRACKETS: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

/** The URL of a host: what follows the slashes is not a placeholder such as `...` or `$HOST`. */
const HAS_HOST = /^https?:\/\/(?:[^\s/?#@]*@)?[\p{L}\p{N}[]/iu;

/** Marks of a template: the link has no value yet. */
const TEMPLATE = /\$\{|\{\{|\{%|<%|\{[\w.-]*\}/;

/** Marks of formats and patterns, which real links may have too. */
const PATTERN = /%[sd@](?![0-9a-f])|\*(?=[./:])|\[\w+\]|\u2026/i;

/** A name in angle brackets right behind a URL, such as `https://example.com/<name>`. HTML elements are none. */
const PLACEHOLDER = /^<(?!(?:a|b|br|code|em|i|li|p|span|strong|td|tr)\b)[a-z][\w .-]*>/i;

/** Whether a link is the pattern of others: it has a placeholder of a template. */
export function isTemplate(href: string): boolean {
  return TEMPLATE.test(href);
}

function isPattern(url: string): boolean {
  const start = /^https?:\/\/\[[^\]]*\]/i.exec(url)?.[0].length ?? 0; // an IPv6 address
  return TEMPLATE.test(url) || PATTERN.test(url.slice(start));
}

/** The URLs in a text, between two offsets. */
export function findUrls(text: string, start = 0, end = text.length): FoundLink[] {
  const found: FoundLink[] = [];
  URL_TEXT.lastIndex = start;
  for (let match = URL_TEXT.exec(text); match !== null && match.index < end; match = URL_TEXT.exec(text)) {
    const offset = match.index;
    const whole = match[0].slice(0, end - offset);
    const href = trimEnd(whole, text.charAt(offset - 1));
    // A placeholder may follow the URL.
    const isCut =
      href === match[0] && PLACEHOLDER.test(text.slice(offset + href.length, offset + href.length + 60));
    if (HAS_HOST.test(href) && !isPattern(href) && !isCut) found.push({ href, offset });
    URL_TEXT.lastIndex = offset + Math.max(href.length, 1);
  }
  return found;
}

/** A URL without what belongs to the sentence around it: its end, and a bracket or quote that opens before the URL. */
function trimEnd(url: string, before: string): string {
  let text = before === "'" ? (url.split("'", 1)[0] ?? url) : url;
  const open: string[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    const opening = BRACKETS[character];
    if (character === '(' || character === '[' || character === '{') open.push(character);
    else if (opening !== undefined && open.pop() !== opening) {
      text = text.slice(0, at);
      break;
    }
  }
  text = text.replace(TRAILING, '');
  if (before === '_') text = text.replace(/_+$/, '');
  // A bracket that is not closed is the start of something else.
  return text.replace(/[([{]$/, '');
}

/** Finds the URLs of a plain text. */
export function extractText(text: string): Extraction {
  return toExtraction(text, findUrls(text));
}

const JSON_STRING = /"(?:[^"\\\n]|\\.)*"/g;
const ESCAPE = /\\(?:u([0-9a-f]{4})|(.))/gi;
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** Finds the URLs in the strings of JSON, also if it is damaged, has comments or is one value per line. */
export function extractJson(text: string): Extraction {
  const found: FoundLink[] = [];
  for (const { 0: quoted, index } of text.matchAll(JSON_STRING)) {
    if (!/http|\\u00/i.test(quoted)) continue;
    const { decoded, offsets } = decodeString(quoted.slice(1, -1));
    for (const link of findUrls(decoded)) {
      found.push({ ...link, offset: index + 1 + (offsets?.[link.offset] ?? link.offset) });
    }
  }
  return toExtraction(text, found);
}

/** Decodes the escapes of a string. `offsets` has where each character comes from; it is unset if there are no escapes. */
function decodeString(raw: string): { readonly decoded: string; readonly offsets?: readonly number[] } {
  if (!raw.includes('\\')) return { decoded: raw };
  const offsets: number[] = [];
  let decoded = '';
  let end = 0;
  const keep = (to: number) => {
    for (let at = end; at < to; at += 1) offsets.push(at);
    decoded += raw.slice(end, to);
  };
  for (const { 0: escaped, 1: code, 2: character = '', index } of raw.matchAll(ESCAPE)) {
    keep(index);
    offsets.push(index);
    decoded +=
      code === undefined
        ? (CONTROLS[character] ?? character)
        : String.fromCharCode(Number.parseInt(code, 16));
    end = index + escaped.length;
  }
  keep(raw.length);
  return { decoded, offsets };
}

const C_STRINGS = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`;
const C_COMMENTS = String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`;
const PYTHON_TEXTS = String.raw`"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)`;

/** In each language: a string, which is skipped, or a comment. Only the comment is a group. */
const SYNTAXES: readonly (readonly [string, RegExp])[] = [
  [
    'js mjs cjs jsx ts mts cts tsx go kt kts scala groovy gradle',
    pattern([C_STRINGS, '`(?:\\\\.|[^`\\\\])*`'], C_COMMENTS),
  ],
  ['py pyi', pattern([C_STRINGS], `${PYTHON_TEXTS}|#[^\\n]*`)],
  ['rb sh bash zsh fish pl pm r ex exs nim jl ps1', pattern([C_STRINGS], String.raw`(?<![^\s;])#[^\n]*`)],
  ['php tf hcl', pattern([C_STRINGS], `${C_COMMENTS}|#[^\\n]*`)],
  [
    'sql lua hs elm',
    pattern(
      [C_STRINGS],
      String.raw`--\[\[[\s\S]*?(?:\]\]|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\{-[\s\S]*?(?:-\}|$)`,
    ),
  ],
];

const SYNTAX_BY_EXTENSION: ReadonlyMap<string, RegExp> = new Map(
  SYNTAXES.flatMap(([extensions, syntax]) =>
    extensions.split(' ').map((extension) => [`.${extension}`, syntax] as const),
  ),
);

/** Of C, and of most other languages. */
const C_SYNTAX = pattern([C_STRINGS], C_COMMENTS);

/** A comment comes first, since the texts of Python start as strings do. */
function pattern(strings: readonly string[], comment: string): RegExp {
  return new RegExp(`(${comment})|${strings.join('|')}`, 'g');
}

/** Finds the URLs in the comments of a source file; those in its strings are often parts of URLs, or not for the web. */
export function extractSource(text: string, name: string): Extraction {
  const syntax = SYNTAX_BY_EXTENSION.get(extname(name).toLowerCase()) ?? C_SYNTAX;
  const comments = [...text.matchAll(syntax)].filter(([, comment]) => comment !== undefined);
  return toExtraction(
    text,
    comments.flatMap(({ 0: comment, index }) => findUrls(text, index, index + comment.length)),
  );
}

/** A directive whose content is code or raw text, and a paragraph that ends with `::`. Their indented block has no links. */
const CODE_DIRECTIVE =
  /^ *\.\. (?:code-block|code|sourcecode|highlight|parsed-literal|literalinclude|raw|math|prompt|doctest|testcode|productionlist|graphviz)::/;
const LITERAL_START = /::\s*$/;
const DIRECTIVE = /^ *\.\. (?:\|[^|]+\| )?[\w:-]+::/;

/** A comment: explicit markup that is no directive, target, footnote or citation. */
const COMMENT = /^ *\.\.(?:\s+(?!_|__|\[|\|)|$)/;

const INLINE_LITERAL = /``[\s\S]+?``/g;

/** `` `text <target>`_ ``, with one or two underscores. A target that ends with `_` is the name of another one. */
const INLINE_LINK = /(?<![\w:`])`([^`<>]*)<([^`<>]+)>`__?/g;

/** `.. _name: target`, `.. __: target` and `__ target`. The target may go on in indented lines. */
const TARGET =
  /^( *)(?:\.\. _(?:`[^`\n]+`|(?:[^:`\\\n]|\\.|:(?!\s))+): |\.\. __: |__ )[ \t]*(\S.*(?:\n\1 +\S.*)*)/gm;

/** `.. image:: path` and `.. figure:: path`, also as a substitution. */
const IMAGE = /^ *\.\. (?:\|[^|\n]+\| )?(?:image|figure):: +(\S+)/gm;
const IMAGE_TARGET = /^ +:target: +(\S+)/gm;

/**
 * Extracts the links of reStructuredText: inline links, targets, images and URLs in the text. Literals, code and comments have
 * none.
 */
export function extractRestructuredText(text: string): Extraction {
  const visible = blank(text, literalSpans(text)).replace(INLINE_LITERAL, (literal) => spaces(literal));
  const found: FoundLink[] = [];
  const covered: (readonly [number, number])[] = [];
  const add = (match: RegExpMatchArray, raw: string, label?: string) => {
    const { 0: whole, index = 0 } = match;
    covered.push([index, index + whole.length]);
    const href = raw.replace(/\s+/g, '').replace(/\\(.)/g, '$1');
    if (/[^\\]_$/.test(raw.trimEnd())) return;
    const offset = index + whole.lastIndexOf(raw) + (raw.length - raw.trimStart().length);
    const name = label?.replace(/\s+/g, ' ').trim() ?? '';
    found.push({ href, offset, ...(name !== '' && { text: name }) });
  };
  for (const match of visible.matchAll(INLINE_LINK)) add(match, match[2] ?? '', match[1]);
  for (const match of visible.matchAll(TARGET)) add(match, match[2] ?? '');
  for (const match of visible.matchAll(IMAGE)) add(match, match[1] ?? '');
  for (const match of visible.matchAll(IMAGE_TARGET)) add(match, match[1] ?? '');
  const urls = findUrls(visible).filter(
    ({ offset }) => !covered.some(([start, end]) => start <= offset && offset < end),
  );
  return toExtraction(text, [...found, ...urls]);
}

/** The blocks of code, literal text and comments, as offsets. */
function literalSpans(text: string): (readonly [number, number])[] {
  const spans: (readonly [number, number])[] = [];
  /** The indentation of the paragraph or directive whose block is skipped. */
  let skipped: number | undefined;
  let offset = 0;
  for (const line of text.split('\n')) {
    const indent = line.search(/\S/);
    if (skipped !== undefined && indent !== -1 && indent <= skipped) skipped = undefined;
    const isDirective = DIRECTIVE.test(line);
    if (skipped !== undefined || isCommentLine(line, isDirective)) spans.push([offset, offset + line.length]);
    if (skipped === undefined && indent !== -1) {
      const startsBlock = isDirective ? CODE_DIRECTIVE.test(line) : LITERAL_START.test(line);
      if (startsBlock || isCommentLine(line, isDirective)) skipped = indent;
    }
    if (/^\s*>>> /.test(line)) spans.push([offset, offset + line.length]);
    offset += line.length + 1;
  }
  return spans;
}

function isCommentLine(line: string, isDirective: boolean): boolean {
  return !isDirective && COMMENT.test(line);
}

function blank(text: string, spans: readonly (readonly [number, number])[]): string {
  let blanked = '';
  let end = 0;
  for (const [from, to] of spans) {
    if (from < end) continue;
    blanked += text.slice(end, from) + spaces(text.slice(from, to));
    end = to;
  }
  return blanked + text.slice(end);
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
