import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readRecords } from '../../src/cli/record-files.ts';
import { InputError } from '../../src/model/errors.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { okResult } from '../model/a-result.ts';

const record = (url: string) => encodeRecord(okResult({ url }));

/** The URLs of the records, and the lines that are not records. */
async function read(stream: Readable, signal?: AbortSignal): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const batch of readRecords(stream, 'results.jsonl', signal)) {
    for (const one of batch) found.push('url' in one ? one.url : one);
  }
  return found;
}

test('readRecords() yields every record, the last one also without a newline, however the bytes are cut', async () => {
  const text = `${record('http://a/')}\n${record('http://b/')}\n${record('http://c/')}`;
  for (const size of [1, 7, 300, 1000]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
      Buffer.from(text.slice(at * size, (at + 1) * size)),
    );
    expect(await read(Readable.from(pieces))).toEqual(['http://a/', 'http://b/', 'http://c/']);
  }
});

test('readRecords() reports the source and number of each line that is not a record, and skips blank lines', async () => {
  const lines = ['', record('http://a/'), '  ', 'no record', '{"v":2}', record('http://b/'), '{'];
  expect(await read(Readable.from([Buffer.from(lines.join('\n'))]))).toEqual([
    'http://a/',
    { source: 'results.jsonl', line: 4, broken: 'it is not JSON' },
    { source: 'results.jsonl', line: 5, broken: 'its "v" is not 1' },
    'http://b/',
    { source: 'results.jsonl', line: 7, broken: 'it is not JSON' },
  ]);
});

test('readRecords() reads a record longer than the limit for a list of URLs', async () => {
  const body = { bytes: 1, text: 'x'.repeat(2 * 1024 * 1024) };
  const long = encodeRecord(okResult({ url: 'http://long/', body }));
  expect(await read(Readable.from([Buffer.from(`${long}\n`)]))).toEqual(['http://long/']);
});

test('readRecords() drops an unfinished line when the signal is aborted', async () => {
  const abort = new AbortController();
  const stream = new Readable({ read() {} });
  stream.push(Buffer.from(`${record('http://a/')}\n{"v":1,"url":"htt`));
  const found: unknown[] = [];
  for await (const batch of readRecords(stream, 'results.jsonl', abort.signal)) {
    found.push(...batch.map((one) => ('url' in one ? one.url : one)));
    abort.abort();
  }
  expect(found).toEqual(['http://a/']);
});

test('readRecords() names a source that cannot be read', async () => {
  const stream = new Readable({ read: () => stream.destroy(new Error('gone')) });
  const failed = read(stream);
  await expect(failed).rejects.toThrow(InputError);
  await expect(failed).rejects.toThrow(/"results\.jsonl"/);
});

test('a line that is not UTF-8 is not a record', async () => {
  const lines = Readable.from([Buffer.from(`${record('http://a/')}\n{"v":1,"url":"\xe9"}\n`, 'latin1')]);
  expect(await read(lines)).toEqual([
    'http://a/',
    { source: 'results.jsonl', line: 2, broken: 'it is not UTF-8' },
  ]);
});
