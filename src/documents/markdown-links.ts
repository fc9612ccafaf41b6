import MarkdownIt from 'markdown-it';
import type StateInline from 'markdown-it/lib/rules_inline/state_inline.mjs';
import type Token from 'markdown-it/lib/token.mjs';
import { byPlace, type Extraction, type FoundLink, type Link } from './document.ts';
import { findHtmlLinks } from './html-links.ts';
import { findUrls } from './plain-text.ts';

/** A block of YAML or TOML at the start of the document. */
const FRONT_MATTER = /^(?:---\n[\s\S]*?\n(?:---|\.\.\.)|\+\+\+\n[\s\S]*?\n\+\+\+)[ \t]*(?=\n|$)/;

/** The label and the colon of a definition. */
const DEFINITION = /\[((?:[^\\[\]]|\\.)*)\]:[ \t]*\n?[ \t]*/y;

/** An image in the text of a link. */
const IMAGE = /!\[([^\]]*)\]\([^)]*\)/g;

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** A part of the text of one block. Text within it is not searched for URLs again. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** What is found while one document is parsed. */
class Findings {
  /** Lines of the document. */
  readonly lines: readonly string[];
  readonly links: Link[] = [];
  /** In the block that is parsed. */
  found: FoundLink[] = [];
  spans: Span[] = [];
  /** How many images surround what is parsed: the text of an image has no links. */
  imageDepth = 0;

  constructor(text: string) {
    this.lines = text.split('\n');
  }

  /**
   * Gives what was found in the text of a block its places in the document. The lines of the text are those of the document
   * from `firstLine` on, without what comes before them in the containers of the block. Returns the column behind it.
   */
  addBlock(content: string, firstLine: number, found: readonly FoundLink[], fromColumn?: number): number {
    const texts = content.split('\n');
    const columns = texts.map((text, at) =>
      this.#columnOf(text, firstLine + at, at === 0 ? fromColumn : undefined),
    );
    const starts = [0];
    for (const text of texts) starts.push((starts.at(-1) ?? 0) + text.length + 1);
    for (const { offset, ...link } of found) {
      const at = starts.findLastIndex((start) => start <= offset);
      const column = offset - (starts[at] ?? 0) + (columns[at] ?? 0) + 1;
      this.links.push({ ...link, line: firstLine + at + 1, column });
    }
    return (columns[0] ?? 0) + (texts[0]?.length ?? 0);
  }

  #columnOf(text: string, index: number, from: number | undefined): number {
    const line = this.lines[index] ?? '';
    const column = from === undefined ? line.lastIndexOf(text) : line.indexOf(text, from);
    return Math.max(column, 0);
  }
}

/** Returns one of the rules of the parser for text within a block. */
function inlineRule(name: string): (state: StateInline, silent: boolean) => boolean {
  const parser = new MarkdownIt();
  parser.inline.ruler.enableOnly([name]);
  const [rule] = parser.inline.ruler.getRules('');
  if (rule === undefined) throw new Error(`markdown-it has no rule ${name}`);
  return rule;
}

/** The environment of each parse. */
function findingsOf({ env }: { readonly env: unknown }): Findings {
  if (!(env instanceof Findings)) throw new Error('markdown-it has another environment');
  return env;
}

/** Calls `use` after each success of a rule, with where the text that it read starts. */
function watchRule(parser: MarkdownIt, name: string, use: (state: StateInline, start: number) => void): void {
  const rule = inlineRule(name);
  const isImage = name === 'image';
  parser.inline.ruler.at(name, (state, silent) => {
    const start = state.pos;
    const findings = findingsOf(state);
    if (isImage) findings.imageDepth += 1;
    const isRead = rule(state, silent);
    if (isImage) findings.imageDepth -= 1;
    if (isRead && !silent && findings.imageDepth === 0) use(state, start);
    return isRead;
  });
}

/** The parser, with its rules for links watched. What it makes of the text is not used. */
function createParser(): MarkdownIt {
  const parser = new MarkdownIt({ html: true });
  parser.normalizeLink = (href) => href;
  parser.validateLink = () => true;
  parser.inline.ruler.disable(['emphasis', 'strikethrough']);
  const cover = (state: StateInline, start: number) => {
    findingsOf(state).spans.push({ start, end: state.pos });
  };
  watchRule(parser, 'backticks', cover);
  watchRule(parser, 'autolink', (state, start) => {
    cover(state, start);
    const url = state.src.slice(start + 1, state.pos - 1);
    findingsOf(state).found.push({ href: SCHEME.test(url) ? url : `mailto:${url}`, offset: start + 1 });
  });
  watchRule(parser, 'html_inline', (state, start) => {
    cover(state, start);
    const { found } = findHtmlLinks(state.src.slice(start, state.pos));
    findingsOf(state).found.push(...found.map((link) => ({ ...link, offset: link.offset + start })));
  });
  for (const name of ['link', 'image']) {
    watchRule(parser, name, (state, start) => {
      cover(state, start);
      const link = inlineLink(state, start, name === 'image');
      if (link !== undefined) findingsOf(state).found.push(link);
    });
  }
  watchDefinitions(parser);
  parser.core.ruler.at('inline', ({ tokens, md, env }) => parseBlocks(tokens, md, findingsOf({ env })));
  return parser;
}

/** The link or image that was read from `start`, with its URL in parentheses; `undefined` if it is a reference. */
function inlineLink(state: StateInline, start: number, isImage: boolean): FoundLink | undefined {
  const { src, pos: end } = state;
  const { parseLinkLabel, parseLinkDestination } = state.md.helpers;
  const labelStart = isImage ? start + 2 : start + 1;
  const labelEnd = parseLinkLabel(state, labelStart - 1, !isImage);
  if (src[labelEnd + 1] !== '(' || src[end - 1] !== ')') return undefined;
  const [space = ''] = /^[ \t\n]*/.exec(src.slice(labelEnd + 2, end)) ?? [];
  const destination = labelEnd + 2 + space.length;
  const { ok, str } = parseLinkDestination(src, destination, end);
  if (!ok) return undefined;
  const text = src.slice(labelStart, labelEnd).replace(IMAGE, '$1').replace(/\s+/g, ' ').slice(0, 200);
  const offset = src[destination] === '<' ? destination + 1 : destination;
  return { href: str, offset, ...(text !== '' && { text }) };
}

/** Definitions of references are found where they are, whether or not there is a reference to them. */
function watchDefinitions(parser: MarkdownIt): void {
  const ruler = new MarkdownIt().block.ruler;
  ruler.enableOnly(['reference']);
  const [rule] = ruler.getRules('');
  if (rule === undefined) throw new Error('markdown-it has no rule reference');
  parser.block.ruler.at('reference', (state, startLine, endLine, silent) => {
    const start = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
    // A footnote is text, which may have links.
    if (state.src.startsWith('[^', start)) return false;
    const isRead = rule(state, startLine, endLine, silent);
    if (!isRead || silent) return isRead;
    DEFINITION.lastIndex = start;
    const [whole = '', label = ''] = DEFINITION.exec(state.src) ?? [];
    const destination = start + whole.length;
    const { ok, str } = parser.helpers.parseLinkDestination(state.src, destination, state.src.length);
    if (whole === '' || !ok) return isRead;
    const offset = state.src[destination] === '<' ? destination + 1 : destination;
    const before = state.src.slice(start, offset).split('\n');
    const line = startLine + before.length - 1;
    const lineStart = state.src.lastIndexOf('\n', offset - 1) + 1;
    findingsOf(state).links.push({ href: str, line: line + 1, column: offset - lineStart + 1, text: label });
    return isRead;
  });
}

/** Parses the text of each block, and finds the links in it. */
function parseBlocks(tokens: readonly Token[], parser: MarkdownIt, findings: Findings): void {
  let rowLine = 0;
  let column = 0;
  for (const { type, content, map, children } of tokens) {
    if (type === 'tr_open' && map !== null) [rowLine, column] = [map[0], 0];
    if (type === 'html_block' && map !== null)
      findings.addBlock(content, map[0], findHtmlLinks(content).found);
    if (type !== 'inline') continue;
    findings.found = [];
    findings.spans = [];
    parser.inline.parse(content, parser, findings, children ?? []);
    const { found, spans } = findings;
    const urls = findUrls(content).filter(({ offset }) => !isCovered(offset, spans, content));
    const all = [...found, ...urls];
    if (map !== null) {
      if (all.length > 0) findings.addBlock(content, map[0], all); // most blocks have no link
    } else {
      // In a cell of a table, bars are escaped.
      const written = content.replaceAll('|', '\\|');
      const moved = all.map((link) => ({
        ...link,
        offset: link.offset + bars(content.slice(0, link.offset)),
      }));
      column = findings.addBlock(written, rowLine, moved, column);
    }
  }
}

function bars(text: string): number {
  return text.split('|').length - 1;
}

/** Whether a place is within one of the spans, or in the text of an `<a>`. */
function isCovered(offset: number, spans: readonly Span[], content: string): boolean {
  if (spans.some(({ start, end }) => start <= offset && offset < end)) return true;
  const opened = content.slice(0, offset).search(/<a\s(?![\s\S]*<\/a\s*>)/i);
  return opened !== -1 && spans.some(({ start }) => start === opened);
}

let parser: MarkdownIt | undefined;

/**
 * Extracts the links of Markdown (CommonMark, with tables and bare URLs as on GitHub): inline links, definitions, autolinks, bare URLs and
 * those of HTML. Code has no links. A link has the place of its URL.
 */
export function extractMarkdown(text: string): Extraction {
  parser ??= createParser();
  const findings = new Findings(text);
  const [matter = ''] = FRONT_MATTER.exec(text) ?? [];
  // Lines stay where they are.
  parser.parse(matter.replace(/[^\n]+/g, '') + text.slice(matter.length), findings);
  const { links } = findings;
  findings.addBlock(matter, 0, findUrls(matter));
  return { links: links.sort(byPlace) };
}
