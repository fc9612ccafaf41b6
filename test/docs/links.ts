import { dirname, join } from 'node:path';
import { marked, type Token } from 'marked';
import type { Page } from './pages.ts';

/** A link from a page to a file of the repository. */
export interface Link {
  /** Relative to the root of the repository. */
  readonly path: string;
  /** The heading it leads to, as GitHub names it. */
  readonly anchor: string | undefined;
}

/** Returns the links and images of a page, without those to the web. */
export function linksOf({ path, text }: Page): readonly Link[] {
  return tokensOf(text)
    .flatMap((token) => (token.type === 'link' || token.type === 'image' ? [`${token.href}`] : []))
    .filter((href) => !/^[a-z]+:/.test(href))
    .map((href) => {
      const [file = '', anchor] = href.split('#');
      return { path: file === '' ? path : join(dirname(path), file), anchor };
    });
}

/** Returns the anchors that GitHub gives to the headings of a page; a repeated heading ends in `-1`. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const names = tokensOf(page.text)
    .flatMap((token) => (token.type === 'heading' ? [`${token.text}`] : []))
    .map((text) => {
      const name = text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-');
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      return count === 0 ? name : `${name}-${count}`;
    });
  return new Set(names);
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  marked.walkTokens(marked.lexer(text), (token) => {
    tokens.push(token);
  });
  return tokens;
}
