import { type Extraction, type FoundLink, toExtraction } from './document.ts';
import { findUrls } from './plain-text.ts';

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
