import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSitemap, type SitemapEntry } from '../../src/input/sitemap.ts';
import { InputError } from '../../src/model/errors.ts';
import { cutAnyhow, cuts, edited, edits } from '../arbitrary/bytes.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';
import { UNPRINTABLE } from '../output/hostile.ts';

async function* inPieces(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

/** The entries of a sitemap, or the message of the error. */
async function entriesOf(pieces: readonly Buffer[]): Promise<SitemapEntry[] | string> {
  const found: SitemapEntry[] = [];
  try {
    for await (const entries of parseSitemap(inPieces(pieces), 'sitemap.xml')) found.push(...entries);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return found;
}

const escaped = (text: string) => text.replace(/[^\x20-\x7e]|[&<>"']/g, '').trim();

const sitemap = fc.array(hostileText.map(escaped), { maxLength: 5 }).map((locs) => {
  const items = locs.map((loc) => `<url>\n<loc> ${loc}\n</loc><lastmod>2026</lastmod></url>`);
  return {
    locs,
    text: `<?xml version="1.0"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${items.join('')}</urlset>`,
  };
});

test('a sitemap yields its URLs however its bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(sitemap, cuts, async ({ locs, text }, places) => {
      const found = await entriesOf(cutAnyhow(Buffer.from(text), places));
      expect(typeof found === 'string' ? found : found.map(({ loc }) => loc)).toEqual(locs);
    }),
    runs(60),
  );
});

test('a sitemap that is damaged anywhere yields URLs, or one printable message', async () => {
  await fc.assert(
    fc.asyncProperty(sitemap, edits, cuts, async ({ text }, changes, places) => {
      const found = await entriesOf(cutAnyhow(edited(Buffer.from(text), changes), places));
      if (typeof found !== 'string') return;
      expect(found).toMatch(/^cannot read "sitemap.xml" as a sitemap: ./);
      expect(found).not.toMatch(UNPRINTABLE);
    }),
    runs(80),
  );
});
