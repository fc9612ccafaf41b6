import { expect, it } from 'vitest';
import { InlineSink } from '../../src/bodies/body-sink.ts';

function keep(pieces: readonly (string | Buffer)[], { isWhole = true, maxBytes = 10 } = {}) {
  const taker = new InlineSink(maxBytes);
  for (const piece of pieces) taker.write(Buffer.from(piece));
  return taker.end(false, isWhole);
}

it.each([
  ['text', ['he', 'llo'], { bytes: 5, text: 'hello' }],
  ['nothing', [], { bytes: 0, text: '' }],
  ['a character in two pieces', [Buffer.from([0xc3]), Buffer.from([0xa9])], { bytes: 2, text: 'é' }],
  ['a zero byte', ['a\0b'], { bytes: 3, text: 'a\0b' }],
  ['bytes that are no UTF-8', [Buffer.from([0xff, 0x00])], { bytes: 2, base64: '/wA=' }],
  ['half a character', [Buffer.from([0xc3])], { bytes: 1, base64: 'ww==' }],
  ['as much as is wanted', ['1234567890'], { bytes: 10, text: '1234567890' }],
])('%s is kept for the record', (_what, pieces, kept) => {
  expect(keep(pieces)).toEqual(kept);
});

it('what is kept does not change with the pieces', () => {
  const taker = new InlineSink(10);
  const piece = Buffer.from('a');
  taker.write(piece);
  piece.fill('b');
  expect(taker.end(true, true)).toEqual({ bytes: 1, text: 'a' });
});

it('a body that is larger than wanted is left out as a whole', () => {
  expect(keep(['12345', '67890', 'x'])).toBeUndefined();
  expect(keep(['x'.repeat(11), ''])).toBeUndefined();
});

it('a body that was not read to its end, or broke off, is left out', () => {
  expect(keep(['x'], { isWhole: false })).toBeUndefined();
  const taker = new InlineSink(10);
  taker.write(Buffer.from('x'));
  taker.drop();
  expect(taker.end(false, true)).toBeUndefined();
});
