import fc from 'fast-check';

/** Texts with a special meaning for terminals, spreadsheets, browsers, parsers or shells. */
const TRAPS = [
  '\n', '\r\n', '\t', ' ', '\0', '\x1b[31m', '\x07', '\x7f', '\u009b', '\u2028', '\u2029', '\u202e', '\u2066', '\u061c', '\ufeff', '\u00a0', '\ud800', '\udfff',
  '\ufffe', '"', "'", '\\', '`', '|', '<', '>', '&', ',', ';', '=', '+', '-', '@', '#', '##[', '##[error]', '::error::', '<script>', '</script>', ']]>', '{', '}',
  '[', ']', '(', ')', '$', '$HOME', '%', '%00', '%zz', '/', '//', '..', ':', '?', '*', '~', '.', 'ä', 'é', 'e\u0301', 'ß', '€', '𝄞', '٣', '漢', 'CON', '.part',
]; // biome-ignore format: a table

const trap = fc.constantFrom(...TRAPS);

/** A few hostile characters. */
export const shortHostileText: fc.Arbitrary<string> = fc
  .array(fc.oneof(trap, fc.string({ maxLength: 3 })), { maxLength: 3 })
  .map((parts) => parts.join(''));

/** Any text, mostly hostile. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .array(fc.oneof(trap, fc.string({ maxLength: 5 })), { maxLength: 12 })
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(trap, fc.integer({ min: 190, max: 2100 }))
      .map(([text, times]) => text.repeat(times).slice(0, 4000)),
  },
);

/** One of the examples, also with a few characters changed, or hostile text. */
export function nearly(examples: readonly string[]): fc.Arbitrary<string> {
  const changed = fc
    .tuple(
      fc.constantFrom(...examples),
      fc.nat(),
      fc.nat(2),
      fc.oneof(trap, fc.string({ maxLength: 3 }), fc.constantFrom('0', '9', '-', 'x', 'S')),
    )
    .map(([text, at, removed, put]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + put + text.slice(place + removed);
    });
  return fc.oneof(fc.constantFrom(...examples), changed, hostileText);
}
