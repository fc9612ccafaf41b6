import { describe, expect, it } from 'vitest';
import { type Line, LineSplitter, MAX_LINE_BYTES } from '../../src/input/line-splitter.ts';

function linesOf(chunks: readonly Buffer[], maxBytes?: number): Line[] {
  const splitter = new LineSplitter(maxBytes);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

function lines(text: string, maxBytes?: number): Line[] {
  return linesOf([Buffer.from(text)], maxBytes);
}

describe('LineSplitter', () => {
  it('returns the lines that a chunk completes, and keeps the rest', () => {
    const splitter = new LineSplitter();
    expect(splitter.push(Buffer.from('a\nb\nc'))).toEqual(['a', 'b']);
    expect(splitter.push(Buffer.from('d'))).toEqual([]);
    expect(splitter.push(Buffer.from('\n'))).toEqual(['cd']);
    expect(splitter.end()).toEqual([]);
  });

  it('returns empty lines, so that line numbers are right', () => {
    expect(lines('\n\na\n\n')).toEqual(['', '', 'a', '']);
  });

  it('returns a last line without a newline', () => {
    expect(lines('a\nb')).toEqual(['a', 'b']);
  });

  it('returns no line for no bytes', () => {
    expect(linesOf([])).toEqual([]);
    expect(linesOf([Buffer.alloc(0)])).toEqual([]);
  });

  it('drops the \\r of a \\r\\n and of a last line, but no other', () => {
    expect(lines('a\r\nb\rc\r\n\r\nd\r')).toEqual(['a', 'b\rc', '', 'd']);
  });

  it('drops a byte-order mark at the start only', () => {
    expect(lines('\ufeffa\n\ufeffb')).toEqual(['a', '\ufeffb']);
  });

  it('returns the same lines wherever the bytes are cut in two', () => {
    const bytes = Buffer.from('\ufeffhttps://ä.example/€\r\n\n𝄞𝄞\nlast → line');
    const whole = linesOf([bytes]);
    expect(whole).toEqual(['https://ä.example/€', '', '𝄞𝄞', 'last → line']);
    for (let at = 0; at <= bytes.length; at++) {
      expect(linesOf([bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toEqual(whole);
    }
  });

  it('returns the same lines for chunks of every size, including lines over the limit', () => {
    const text = ['short', 'x'.repeat(30), 'y'.repeat(10), '', 'ü'.repeat(6), 'end'].join('\n');
    const whole = lines(text, 10);
    expect(whole.map(shape)).toEqual(['short', 'long', 'y'.repeat(10), '', 'long', 'end']);
    for (let size = 1; size <= text.length; size++) {
      const bytes = Buffer.from(text);
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(linesOf(chunks, 10).map(shape), `chunks of ${size}`).toEqual(whole.map(shape));
    }
  });

  it('splits a chunk far longer than the limit into its lines', () => {
    const many = Array.from({ length: 50_000 }, (_, at) => `https://example.com/${at}`);
    expect(lines(many.join('\n'), 64)).toEqual(many);
  });

  it('returns the bytes of a line that is not UTF-8, and the text of the lines around it', () => {
    const list = Buffer.concat([
      Buffer.from('\ufeffä\nx'),
      Buffer.from([0xff]),
      Buffer.from('\r\n\ufffd\n'),
      Buffer.from([0xe9]),
    ]);
    expect(linesOf([list])).toEqual([
      'ä',
      { bytes: Buffer.from('x\xff', 'latin1') },
      '\ufffd',
      { bytes: Buffer.from([0xe9]) },
    ]);
  });

  it('splits at NUL characters instead', () => {
    const splitter = new LineSplitter(undefined, '\0');
    expect(splitter.push(Buffer.from('a\0b\nc\0d'))).toEqual(['a', 'b\nc']);
    expect(splitter.end()).toEqual(['d']);
  });

  it('copies what it keeps, so that a chunk may be reused', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.from('abc');
    splitter.push(chunk);
    chunk.fill('x');
    expect(splitter.end()).toEqual(['abc']);
  });
});

describe('LineSplitter at its limit', () => {
  it('reads a line of exactly 1 MiB', () => {
    const line = 'x'.repeat(MAX_LINE_BYTES);
    expect(MAX_LINE_BYTES).toBe(1_048_576);
    expect(lines(`${line}\nnext\n`)).toEqual([line, 'next']);
    expect(lines(line)).toEqual([line]);
  });

  it('keeps only the start of a line one byte over 1 MiB, and continues with the next', () => {
    const [long, next] = lines(`${'x'.repeat(MAX_LINE_BYTES + 1)}\nnext\n`);
    expect(long).toEqual({ start: 'x'.repeat(4096) });
    expect(next).toBe('next');
  });

  it('counts bytes, not characters', () => {
    expect(lines('äääää', 10)).toEqual(['äääää']);
    expect(lines('ääääää', 10)).toEqual([{ start: expect.any(String) }]);
  });

  it('reports a last line over the limit that has no newline', () => {
    expect(lines(`a\n${'x'.repeat(11)}`, 10)).toEqual(['a', { start: 'x'.repeat(11) }]);
  });

  it('drops the byte-order mark of a long line', () => {
    expect(lines(`\ufeff${'x'.repeat(11)}`, 10)).toEqual([{ start: expect.stringMatching(/^x+$/) }]);
  });

  it('reads a line of 1 MiB byte by byte, with linear copying', () => {
    const splitter = new LineSplitter();
    const byte = Buffer.from('x');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < MAX_LINE_BYTES; count++) splitter.push(byte);
    const after = process.memoryUsage().arrayBuffers;
    expect(after - before).toBeLessThan(8 * MAX_LINE_BYTES);
    expect(splitter.push(Buffer.from('\n'))).toEqual(['x'.repeat(MAX_LINE_BYTES)]);
  });

  it('buffers nothing of an endless line', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.alloc(64 * 1024, 'x');
    splitter.push(chunk);
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 4096; count++) splitter.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MAX_LINE_BYTES);
    expect(splitter.isTooLong).toBe(true);
    expect(splitter.push(Buffer.from('\nnext\n'))).toEqual([{ start: 'x'.repeat(4096) }, 'next']);
    expect(splitter.isTooLong).toBe(false);
  });
});

// How much of a long line is kept depends on the chunks; that it is long does not.
function shape(line: Line): string {
  return typeof line === 'string' ? line : 'long';
}
