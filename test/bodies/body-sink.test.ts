import { describe, expect, it } from 'vitest';
import { InlineSink } from '../../src/bodies/body-sink.ts';

function inlined(pieces: readonly (string | Buffer)[], { isWhole = true, maxBytes = 10 } = {}) {
  const sink = new InlineSink(maxBytes);
  for (const piece of pieces) sink.write(Buffer.from(piece));
  return sink.end(false, isWhole);
}

describe('InlineSink', () => {
  it.each([
    ['text', ['he', 'llo'], { bytes: 5, text: 'hello' }],
    ['nothing', [], { bytes: 0, text: '' }],
    ['a character in two pieces', [Buffer.from([0xc3]), Buffer.from([0xa9])], { bytes: 2, text: 'é' }],
    ['a zero byte', ['a\0b'], { bytes: 3, text: 'a\0b' }],
    ['bytes that are not UTF-8', [Buffer.from([0xff, 0x00])], { bytes: 2, base64: '/wA=' }],
    ['half a character', [Buffer.from([0xc3])], { bytes: 1, base64: 'ww==' }],
    ['a body of exactly the limit', ['1234567890'], { bytes: 10, text: '1234567890' }],
  ])('keeps %s', (_what, pieces, kept) => {
    expect(inlined(pieces)).toEqual(kept);
  });

  it('copies each piece', () => {
    const sink = new InlineSink(10);
    const piece = Buffer.from('a');
    sink.write(piece);
    piece.fill('b');
    expect(sink.end(true, true)).toEqual({ bytes: 1, text: 'a' });
  });

  it('keeps nothing of a body over the limit', () => {
    expect(inlined(['12345', '67890', 'x'])).toBeUndefined();
    expect(inlined(['x'.repeat(11), ''])).toBeUndefined();
  });

  it('keeps nothing of a body that was cut or dropped', () => {
    expect(inlined(['x'], { isWhole: false })).toBeUndefined();
    const sink = new InlineSink(10);
    sink.write(Buffer.from('x'));
    sink.drop();
    expect(sink.end(false, true)).toBeUndefined();
  });
});
