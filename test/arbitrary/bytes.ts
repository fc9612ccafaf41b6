import fc from 'fast-check';

/** Pieces of lists, and pieces that do not belong in lists: line ends, marks, half characters, invalid UTF-8. */
const PIECES = [
  '\n', '\n', '\r', '\r\n', '\ufeff', '\u2028', '\u0085', '\0', ' ', '#', '{', '"', 'a', 'https://example.com/', 'ä', '€', '𝄞',
].map((text) => Buffer.from(text)); // biome-ignore format: a table
const INVALID_UTF8 = [
  [0xff],
  [0xc3],
  [0xe2, 0x82],
  [0xf0, 0x9d, 0x84],
  [0x80],
  [0xed, 0xa0, 0x80],
  [0xef, 0xbb],
].map((bytes) => Buffer.from(bytes));

/** Bytes that are roughly a list of lines. */
export const listBytes: fc.Arbitrary<Buffer> = fc
  .array(fc.oneof(fc.constantFrom(...PIECES, ...INVALID_UTF8), fc.uint8Array({ maxLength: 20 })), {
    maxLength: 60,
  })
  .map((pieces) => Buffer.concat(pieces));

/** The bytes cut into pieces, some of which may be empty. */
export function cutAnyhow(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

/** Offsets at which bytes are cut. */
export const cuts = fc.array(fc.nat(10_000), { maxLength: 40 });

/** One change to bytes: `removed` bytes at an offset are replaced with others. */
export interface Edit {
  readonly at: number;
  readonly removed: number;
  readonly inserted: Uint8Array;
}

/** One to three changes. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    at: fc.nat(),
    removed: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(500)),
    inserted: fc.oneof(fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 200 })),
  }),
  { minLength: 1, maxLength: 3 },
);

/** The bytes after these changes, which leave the first `kept` bytes unchanged. */
export function edited(bytes: Buffer, changes: readonly Edit[], kept = 0): Buffer {
  return changes.reduce((before, { at, removed, inserted }) => {
    const place = kept + (at % (before.length - kept + 1));
    return Buffer.concat([before.subarray(0, place), inserted, before.subarray(place + removed)]);
  }, bytes);
}
