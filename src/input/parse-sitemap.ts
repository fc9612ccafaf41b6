import { TextDecoder } from 'node:util';
import sax from 'sax';
import { InputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { named } from './input-fault.ts';

/** A `<loc>` of a sitemap: of a page, or of another sitemap. */
export interface SitemapEntry {
  readonly kind: 'page' | 'sitemap';
  readonly loc: string;
  /** Line of the document in which it ends, from 1. */
  readonly line: number;
}

// Of https://www.sitemaps.org/protocol.html: the roots, and what stands around a `<loc>` that counts.
const ROOTS: ReadonlySet<string> = new Set(['urlset', 'sitemapindex']);
const PARENTS: ReadonlyMap<string | undefined, SitemapEntry['kind']> = new Map([
  ['url', 'page'],
  ['sitemap', 'sitemap'],
]);

// As long as a line of a list may be.
const MAX_LOC_LENGTH = 1024 * 1024;

/**
 * Reads a sitemap or a sitemap index as it comes, in memory that does not depend on its size; no entity but those of
 * XML itself is known, so none expands. Throws an `InputError` that names the document for what is no sitemap.
 */
export async function* parseSitemap(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<readonly SitemapEntry[], void, undefined> {
  const reader = new SitemapReader(name);
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    const entries = reader.write(decoder.decode(chunk, { stream: true }));
    if (entries.length > 0) yield entries;
  }
  const rest = reader.end(decoder.decode());
  if (rest.length > 0) yield rest;
}

class SitemapReader {
  readonly #name: string;
  readonly #parser = new sax.SAXParser(true, { position: true });
  /** Local names of the elements that are open. */
  readonly #path: string[] = [];
  #found: SitemapEntry[] = [];
  #loc = '';
  #hasRoot = false;

  constructor(name: string) {
    this.#name = name;
    this.#parser.onopentag = ({ name }) => this.#open(localName(name));
    this.#parser.onclosetag = () => this.#close();
    this.#parser.ontext = this.#parser.oncdata = (text) => this.#take(text);
    this.#parser.onerror = (error) => {
      throw this.#fault(error.message.split('\n', 1)[0] ?? error.name);
    };
  }

  write(text: string): readonly SitemapEntry[] {
    this.#parser.write(text);
    const found = this.#found;
    this.#found = [];
    return found;
  }

  end(text: string): readonly SitemapEntry[] {
    const found = this.write(text);
    this.#parser.close();
    if (!this.#hasRoot) throw this.#fault('it is empty');
    return found;
  }

  #open(name: string): void {
    if (this.#path.length === 0 && !ROOTS.has(name)) {
      throw this.#fault(`it begins with <${printable(name, 50)}>`);
    }
    this.#hasRoot = true;
    this.#path.push(name);
    if (name === 'loc') this.#loc = '';
  }

  #take(text: string): void {
    if (this.#path.at(-1) !== 'loc') return;
    if (this.#loc.length + text.length > MAX_LOC_LENGTH) throw this.#fault('a <loc> is over 1 MiB long');
    this.#loc += text;
  }

  #close(): void {
    const name = this.#path.pop();
    const kind = name === 'loc' ? PARENTS.get(this.#path.at(-1)) : undefined;
    if (kind !== undefined) {
      this.#found.push({ kind, loc: this.#loc.trim(), line: this.#parser.line + 1 });
    }
  }

  #fault(reason: string): InputError {
    const wish = this.#hasRoot ? '' : '; it must be the XML of a <urlset> or <sitemapindex>';
    return new InputError(
      `Cannot read ${named(this.#name)} as a sitemap: ${printable(reason)} (line ${this.#parser.line + 1})${wish}`,
    );
  }
}

/** Sitemaps have their names with and without a prefix; what has another meaning stands in another parent. */
function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
