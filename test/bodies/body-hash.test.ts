import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BodyHash } from '../../src/bodies/file-sink.ts';

test.each([[[]], [[5]], [[5, 5]], [[50_000]], [[50_000, 5]], [[5, 50_000, 5]]])(
  'a body in pieces of %j bytes has its SHA-256, whatever becomes of the pieces',
  (lengths) => {
    const hash = new BodyHash();
    for (const length of lengths) {
      const piece = Buffer.alloc(length, 'a');
      hash.update(piece);
      piece.fill('b');
    }
    const whole = Buffer.alloc(
      lengths.reduce((sum, length) => sum + length, 0),
      'a',
    );
    expect(hash.hex()).toBe(createHash('sha256').update(whole).digest('hex'));
  },
);

test('a body whose beginning was hashed before has the hash of the whole', () => {
  const hash = new BodyHash(createHash('sha256').update('ab'));
  hash.update(Buffer.from('c'));
  expect(hash.hex()).toBe(createHash('sha256').update('abc').digest('hex'));
});
