import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError, decoderFor, OverflowError } from '../../src/bodies/decompress.ts';
import { TextMatcher } from '../../src/bodies/text-matcher.ts';
import { cutAnyhow, cuts, edited, edits } from '../arbitrary/bytes.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText, nearly } from '../arbitrary/texts.ts';

const CODERS: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  'x-gzip': gzipSync,
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
  identity: (bytes) => Buffer.from(bytes),
};

const MAX_BYTES = 10_000_000;

/** The decoded pieces, or the error of the decoder. */
function decoded(coding: string, pieces: readonly Buffer[], maxBytes = MAX_BYTES): Buffer | Error {
  const decoder = decoderFor(coding, maxBytes);
  if (decoder === undefined) return Buffer.concat(pieces);
  const out: Buffer[] = [];
  try {
    for (const piece of pieces) out.push(...decoder.write(piece));
    out.push(...decoder.end());
  } catch (error) {
    if (error instanceof DecodeError || error instanceof OverflowError) return error;
    throw error;
  }
  return Buffer.concat(out);
}

const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(2000))
    .map(([bytes, times]) => Buffer.concat(Array(times).fill(Buffer.from(bytes)))),
);
const codings = fc.array(fc.constantFrom(...Object.keys(CODERS)), { minLength: 1, maxLength: 2 });

/** The body in these codings, one after the other. */
function encoded(names: readonly string[], bytes: Uint8Array): Buffer {
  let all = Buffer.from(bytes);
  for (const name of names) all = Buffer.from(CODERS[name]?.(all) ?? all);
  return all;
}

test('a body in up to two codings is decoded, however it is split', () => {
  fc.assert(
    fc.property(body, codings, cuts, (bytes, names, places) => {
      const out = decoded(names.join(', '), cutAnyhow(encoded(names, bytes), places));
      expect(out).toEqual(Buffer.from(bytes));
    }),
    runs(40),
  );
});

test('the first byte of a deflate body shows its format, also after an empty piece', () => {
  for (const bytes of [deflateSync('text'), deflateRawSync('text')]) {
    expect(decoded('deflate', [Buffer.alloc(0), bytes])).toEqual(Buffer.from('text'));
  }
});

test('a damaged body is decoded or refused, and nothing else happens', () => {
  fc.assert(
    fc.property(body, codings, cuts, edits, (bytes, names, places, changes) => {
      const damaged = edited(encoded(names, bytes), changes);
      const [whole, cut] = [[damaged], cutAnyhow(damaged, places)].map((pieces) =>
        decoded(names.join(','), pieces),
      );
      // The chunks do not change what comes out; where it breaks may.
      if (Buffer.isBuffer(whole)) expect(cut).toEqual(whole);
      else expect(cut).toBeInstanceOf(Error);
    }),
    runs(80),
  );
});

test('any bytes in any coding decode to no more at once than the limit', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      nearly(['gzip', 'br', 'deflate', 'gzip, br', 'zstd']),
      (bytes, coding) => {
        const out = decoded(coding, [Buffer.from(bytes)], 1000);
        expect(Buffer.isBuffer(out) || out instanceof Error).toBe(true);
      },
    ),
    runs(80),
  );
  const bomb = gzipSync(Buffer.alloc(1_000_000));
  expect(decoded('gzip', [bomb], 1000)).toBeInstanceOf(OverflowError);
  expect(decoded('deflate', [deflateRawSync('x')], 1000)).toEqual(Buffer.from('x'));
});

test('a text is found in a split body if it is in the whole body', () => {
  const alphabet = fc
    .array(fc.constantFrom('a', 'b', 'ä', '€', '\ufeff', '𝄞', '\n'), { maxLength: 40 })
    .map((letters) => letters.join(''));
  const wanted = fc
    .array(fc.constantFrom('a', 'b', 'ä', '€', '𝄞'), { minLength: 1, maxLength: 3 })
    .map((letters) => letters.join(''));
  fc.assert(
    fc.property(alphabet, wanted, wanted, cuts, (text, first, second, places) => {
      const matches = [/^a/, /b$/, /\bä?a\b/u, /a€/];
      const rules = { contains: [first], notContains: [second], matches };
      const matcher = new TextMatcher(rules, undefined);
      for (const piece of cutAnyhow(Buffer.from(text), places)) matcher.write(piece);
      const whole = text.replace(/^\ufeff/, '');
      const isRight =
        whole.includes(first) && !whole.includes(second) && matches.every((rule) => rule.test(whole));
      matcher.end();
      expect(matcher.fault === undefined).toBe(isRight);
    }),
    runs(200),
  );
});

test('any Content-Type and any bytes can be searched', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        hostileText,
        nearly(['text/html; charset=utf-16', 'text/plain;charset="latin1"', 'x;charset=nope']),
      ),
      fc.uint8Array(),
      (type, bytes) => {
        const matcher = new TextMatcher({ contains: ['\0'], notContains: [], matches: [] }, type);
        matcher.write(bytes);
        matcher.end();
        expect(matcher.fault).toSatisfy(
          (fault) => fault === undefined || /^the body does not contain/.test(String(fault)),
        );
      },
    ),
    runs(80),
  );
});
