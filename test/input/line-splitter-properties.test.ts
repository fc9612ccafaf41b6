import { isUtf8 } from 'node:buffer';
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

/** A line as the model has it: one that is not UTF-8 as latin1, a long one as `undefined`. */
function plain(line: Line): string | undefined {
  if (typeof line === 'string') return line;
  return 'bytes' in line ? line.bytes.toString('latin1') : undefined;
}

/** A reference implementation over all bytes at once. */
function model(bytes: Buffer, maxBytes: number): (string | undefined)[] {
  const lines: (string | undefined)[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf('\n', start);
    const end = newline === -1 ? bytes.length : newline;
    const line = bytes.subarray(start, end);
    const text = line.toString(isUtf8(line) ? 'utf8' : 'latin1');
    const marked = start === 0 ? text.replace(/^(\ufeff|\xef\xbb\xbf)/, '') : text;
    lines.push(end - start > maxBytes ? undefined : marked.replace(/\r$/, ''));
    start = end + 1;
  }
  return lines;
}

test('LineSplitter returns the lines of any bytes, however they are cut into chunks', () => {
  fc.assert(
    fc.property(listBytes, cuts, (bytes, places) => {
      expect(split(cutAnyhow(bytes, places)).map(plain)).toEqual(model(bytes, 1024 * 1024));
    }),
    runs(500),
  );
});

test('LineSplitter finds the same long lines at any limit, and keeps the start of each', () => {
  fc.assert(
    fc.property(listBytes, cuts, fc.integer({ min: 1, max: 30 }), (bytes, places, maxBytes) => {
      const lines = split(cutAnyhow(bytes, places), maxBytes);
      const expected = model(bytes, maxBytes);
      expect(lines.map(plain)).toEqual(expected);
      const whole = model(bytes, bytes.length);
      for (const [index, line] of lines.entries()) {
        if (typeof line === 'string' || 'bytes' in line) continue;
        // The last character may be cut. The start of a line that is not UTF-8 is only shown.
        const start = line.start.replace(/[\ufffd\r]+$/, '');
        expect(start.includes('\ufffd') || whole[index]?.startsWith(start) || !isUtf8(bytes)).toBe(true);
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
      const lines = split(cutAnyhow(bytes, at)).map((line) => plain(line)?.length ?? -1);
      expect(lines).toEqual(model(bytes, limit).map((line) => line?.length ?? -1));
    }),
    runs(15),
  );
});
