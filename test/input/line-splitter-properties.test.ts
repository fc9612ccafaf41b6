import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Line, LineSplitter } from '../../src/input/line-splitter.ts';
import { cutAnyhow, cuts, listBytes } from '../arbitrary/bytes.ts';
import { runs } from '../arbitrary/runs.ts';

function split(chunks: readonly Buffer[], maxBytes?: number): Line[] {
  const splitter = new LineSplitter(maxBytes);
  const lines = chunks.flatMap((chunk) => {
    const copy = Buffer.from(chunk);
    const found = splitter.push(copy);
    copy.fill(0x21); // a caller may reuse a chunk
    return found;
  });
  return [...lines, ...splitter.end()];
}

/** A reference implementation over all bytes at once. A long line is `undefined`. */
function model(bytes: Buffer, maxBytes: number): (string | undefined)[] {
  const lines: (string | undefined)[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf('\n', start);
    const end = newline === -1 ? bytes.length : newline;
    const text = bytes.toString('utf8', start, end);
    const marked = start === 0 && text.startsWith('\ufeff') ? text.slice(1) : text;
    lines.push(end - start > maxBytes ? undefined : marked.replace(/\r$/, ''));
    start = end + 1;
  }
  return lines;
}

test('LineSplitter returns the lines of any bytes, however they are cut into chunks', () => {
  fc.assert(
    fc.property(listBytes, cuts, (bytes, places) => {
      expect(split(cutAnyhow(bytes, places))).toEqual(model(bytes, 1024 * 1024));
    }),
    runs(500),
  );
});

test('LineSplitter finds the same long lines at any limit, and keeps the start of each', () => {
  fc.assert(
    fc.property(listBytes, cuts, fc.integer({ min: 1, max: 30 }), (bytes, places, maxBytes) => {
      const lines = split(cutAnyhow(bytes, places), maxBytes);
      const expected = model(bytes, maxBytes);
      expect(lines.map((line) => (typeof line === 'string' ? line : undefined))).toEqual(expected);
      const whole = model(bytes, bytes.length);
      for (const [index, line] of lines.entries()) {
        // The last character may be cut.
        const start = typeof line === 'string' ? line : line.start.replace(/[\ufffd\r]+$/, '');
        expect(whole[index]?.startsWith(start)).toBe(true);
      }
    }),
    runs(500),
  );
});

test('LineSplitter reads lines of about 1 MiB, cut anywhere', () => {
  const limit = 1024 * 1024;
  const length = fc.integer({ min: -3, max: 3 }).map((more) => limit + more);
  const places = fc.array(fc.nat(3 * limit), { maxLength: 6 });
  fc.assert(
    fc.property(length, length, places, fc.constantFrom('x', 'ä', '\r'), (first, second, at, letter) => {
      const bytes = Buffer.from(`${'x'.repeat(first)}\n${letter.repeat(second).slice(0, second)}\nend`);
      const lines = split(cutAnyhow(bytes, at)).map((line) => (typeof line === 'string' ? line.length : -1));
      expect(lines).toEqual(model(bytes, limit).map((line) => line?.length ?? -1));
    }),
    runs(15),
  );
});
