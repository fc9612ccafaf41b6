import { execFileSync } from 'node:child_process';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import type { Input } from '../../src/input/input.ts';
import {
  checkLists,
  countJobs,
  type InputCounts,
  type JobOptions,
  type ReadOptions,
  readJobs,
} from '../../src/input/read-jobs.ts';
import { InputError } from '../../src/model/errors.ts';
import type { Job } from '../../src/model/job.ts';
import { tempDir } from '../origin/temp-dir.ts';

const STDIN: Input = { kind: 'stdin' };
const fileInput = (path: string): Input => ({ kind: 'file', path });
const newCounts = (): InputCounts => ({ read: 0, skipped: 0 });

async function jobsOf(batches: AsyncIterable<Iterable<Job>>): Promise<Job[]> {
  const jobs: Job[] = [];
  for await (const batch of batches) jobs.push(...batch);
  return jobs;
}

function readText(text: string, options: JobOptions = {}, counts = newCounts()): Promise<Job[]> {
  return jobsOf(readJobs([STDIN], { stdin: Readable.from([Buffer.from(text)]), ...options }, counts));
}

describe('readJobs()', () => {
  it('gives each line its index, source and line', async () => {
    expect(await readText('\ufeff# list\nhttp://a/\r\n\n  http://b/  \nhttp://c/')).toEqual([
      { index: 0, source: '-', line: 2, url: 'http://a/' },
      { index: 1, source: '-', line: 4, url: 'http://b/' },
      { index: 2, source: '-', line: 5, url: 'http://c/' },
    ]);
  });

  it('makes an invalid job of a bad line, and continues', async () => {
    const jobs = await readText('http://a/\nnope\n{"url":7}\nhttp://b/\n');
    expect(jobs.map((job) => job.invalid === undefined)).toEqual([true, false, false, true]);
    expect(jobs.map((job) => job.index)).toEqual([0, 1, 2, 3]);
  });

  it('reads several inputs in order, each with its own lines', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'one.txt'), 'http://a/\nhttp://b/');
    await writeFile(join(dir, 'two.txt.gz'), gzipSync('\n\ufeffhttp://d/\n'));
    const inputs: Input[] = [
      fileInput(join(dir, 'one.txt')),
      { kind: 'url', url: 'http://x' },
      STDIN,
      fileInput(join(dir, 'two.txt.gz')),
      { kind: 'url', url: 'http://u:p@y:x' },
    ];
    const jobs = await jobsOf(readJobs(inputs, { stdin: Readable.from(['http://c/\n']) }, newCounts()));
    expect(jobs).toEqual([
      { index: 0, source: join(dir, 'one.txt'), line: 1, url: 'http://a/' },
      { index: 1, source: join(dir, 'one.txt'), line: 2, url: 'http://b/' },
      { index: 2, source: 'arguments', line: 1, url: 'http://x/' },
      { index: 3, source: '-', line: 1, url: 'http://c/' },
      { index: 4, source: join(dir, 'two.txt.gz'), line: 2, url: 'http://d/' },
      { index: 5, source: 'arguments', line: 2, url: 'http://***@y:x', invalid: expect.any(String) },
    ]);
  });

  it('reads standard input once, like cat, when it is named twice', async () => {
    const stdin = Readable.from(['http://a/\n']);
    const jobs = await jobsOf(readJobs([STDIN, STDIN], { stdin }, newCounts()));
    expect(jobs.map((job) => job.url)).toEqual(['http://a/']);
  });

  it('yields no job for an empty input', async () => {
    const counts = newCounts();
    expect(await readText('', {}, counts)).toEqual([]);
    expect(await readText('# nothing\n\n', {}, counts)).toEqual([]);
    expect(counts).toEqual({ read: 0, skipped: 0 });
  });

  it('yields the same jobs wherever the bytes are cut in two', async () => {
    const bytes = Buffer.from('\ufeffhttp://ä.example/€\r\n# ü\n{"url":"http://h/","body":"𝄞"}\r\nno → url');
    const cutAt = (at: number): Promise<Job[]> => {
      const stdin = Readable.from(
        [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0),
      );
      return jobsOf(readJobs([STDIN], { stdin }, newCounts()));
    };
    const whole = await cutAt(0);
    expect(whole.map((job) => job.line)).toEqual([1, 3, 4]);
    for (let at = 1; at < bytes.length; at++) expect(await cutAt(at), `cut at ${at}`).toEqual(whole);
  });

  it('makes an invalid job of a line over 1 MiB, shows its start without secrets, and continues with the next line', async () => {
    const tail = 'x'.repeat(1024 * 1024);
    const jobs = await readText(
      `http://u:secret@a/${tail}\n{"url":"http://b/","body":"secret${tail}"}\nhttp://c/\n`,
    );
    expect(jobs).toEqual([
      {
        index: 0,
        source: '-',
        line: 1,
        url: expect.stringMatching(/^http:\/\/\*\*\*@a\/x{1981}/),
        invalid: expect.stringContaining('must not be longer than 1 MiB'),
      },
      {
        index: 1,
        source: '-',
        line: 2,
        url: '{"url":"http://b/","…',
        invalid: expect.stringContaining('must not be longer than 1 MiB'),
      },
      { index: 2, source: '-', line: 3, url: 'http://c/' },
    ]);
    expect(JSON.stringify(jobs)).not.toContain('secret');
  });

  it('reads a line of exactly 1 MiB', async () => {
    const url = `http://a/${'x'.repeat(1024 * 1024 - 9)}`;
    expect((await readText(`${url}\n`)).map((job) => job.url)).toEqual([url]);
  });

  it('skips a comment over 1 MiB like any other', async () => {
    expect(await readText(`  #${'x'.repeat(1024 * 1024)}\nhttp://a/`)).toEqual([
      { index: 0, source: '-', line: 2, url: 'http://a/' },
    ]);
  });

  it('percent-encodes the bytes of a line that is not UTF-8 as they are', async () => {
    const list = Buffer.from(
      'http://h/caf\xe9?\xc3\xa0\nhttp://h/\xa0\n# \xe9\nhttp://h/ # \xe9\n',
      'latin1',
    );
    const jobs = await jobsOf(readJobs([STDIN], { stdin: Readable.from([list]) }, newCounts()));
    expect(jobs.map(({ url, line }) => [url, line])).toEqual([
      ['http://h/caf%E9?%C3%A0', 1],
      ['http://h/%A0', 2],
      ['http://h/', 4],
    ]);
  });

  it.each([
    ['a JSON job', '{"url":"http://h/","body":"\xe9"}', 'must be UTF-8'],
    ['a host', 'http://caf\xe9.example/', 'the host must be'],
  ])('makes an invalid job of %s that is not UTF-8', async (_, line, reason) => {
    const stdin = Readable.from([Buffer.from(line, 'latin1')]);
    const [job] = await jobsOf(readJobs([STDIN], { stdin }, newCounts()));
    expect(job?.invalid).toContain(reason);
  });

  it('skips and counts links that name nothing to fetch', async () => {
    const counts = newCounts();
    const links = ['mailto:a@b.example', 'TEL:+49-30-1', 'data:text/plain,x', '<javascript:void(0)>'];
    const jobs = await readText([...links, 'http://a/', 'htp://b/', 'ftp://c/'].join('\n'), {}, counts);
    expect(jobs.map(({ url, invalid }) => [url, invalid === undefined])).toEqual([
      ['http://a/', true],
      ['htp://b/', false],
      ['ftp://c/', false],
    ]);
    expect(counts).toEqual({ read: 7, skipped: 4, skippedByReason: { scheme: 4 } });
  });

  it('does not read a tab in a URL as a part of it', async () => {
    const [job] = await readText('http://a/b\tc');
    expect(job).toMatchObject({ url: 'http://a/b\\u{9}c', invalid: expect.stringContaining('a tab') });
  });

  it('prepends the default scheme to URLs without a scheme', async () => {
    expect(
      (await readText('a.example/x\nhttp://b/', { defaultScheme: 'https' })).map((job) => job.url),
    ).toEqual(['https://a.example/x', 'http://b/']);
  });

  it('throws an InputError for a missing file, after the jobs before it', async () => {
    const batches = readJobs(
      [{ kind: 'url', url: 'http://a/' }, fileInput('/no/such/file')],
      { stdin: Readable.from([]) },
      newCounts(),
    );
    expect([...((await batches.next()).value ?? [])]).toHaveLength(1);
    await expect(batches.next()).rejects.toThrow(InputError);
  });

  it('throws an InputError for a broken gzip file', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'a.gz'), gzipSync('http://a/\n').subarray(0, 15));
    await expect(
      jobsOf(readJobs([fileInput(join(dir, 'a.gz'))], { stdin: Readable.from([]) }, newCounts())),
    ).rejects.toThrow(`cannot unpack "${join(dir, 'a.gz')}"`);
  });
});

describe('readJobs() of other lists', () => {
  const readAs = (text: string, options: Partial<ReadOptions>) =>
    jobsOf(readJobs([STDIN], { stdin: Readable.from([Buffer.from(text)]), ...options }, newCounts()));

  it('reads lines that end with NUL', async () => {
    const jobs = await readAs('http://a/\0\nhttp://b/\n\0# c\0http://d/\ne', { isNullSeparated: true });
    expect(jobs.map(({ line, url, invalid }) => [line, url, invalid === undefined])).toEqual([
      [1, 'http://a/', true],
      [2, 'http://b/', true],
      [4, 'http://d/\\u{a}e', false],
    ]);
  });

  it('reads a column of a table, whose cells are lines', async () => {
    const table = 'id,url\n1,http://a/\n2,\n3,nope\n4,"{""url"":""http://b/"",""id"":""x""}"\n5,"http://c/\n';
    const jobs = await readAs(table, { column: 'url' });
    expect(jobs).toEqual([
      { index: 0, source: '-', line: 2, url: 'http://a/' },
      { index: 1, source: '-', line: 4, url: 'nope', invalid: expect.stringContaining('must start with') },
      { index: 2, source: '-', line: 5, url: 'http://b/', id: 'x' },
      { index: 3, source: '-', line: 6, url: '-', invalid: 'invalid row: a quote is not closed' },
    ]);
  });

  it('throws an InputError that names an input which is not a list', async () => {
    const reading = readAs('<!doctype html>\n', {});
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow(
      'cannot read standard input as a list of URLs: it looks like HTML or XML; use --extract for the links in it, or --sitemap',
    );
  });

  it('looks at the first lines only', async () => {
    expect((await readText('http://a/\n<html>\n')).map(({ invalid }) => invalid === undefined)).toEqual([
      true,
      false,
    ]);
  });
});

describe('checkLists()', () => {
  it('accepts lists, and does not touch other inputs', async () => {
    const dir = await tempDir();
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const list = await listFile('nope\n');
    const inputs = [
      STDIN,
      { kind: 'url', url: 'http://a/' } as const,
      fileInput(join(dir, 'pipe')),
      fileInput(list),
    ];
    await expect(checkLists(inputs, {})).resolves.toBeUndefined();
  });

  it.each([
    ['an HTML file', '<!doctype html>\n', {}, 'it looks like HTML'],
    ['a packed HTML file', gzipSync('<!doctype html>\n'), {}, 'it looks like HTML'],
    ['a table without the column', 'id,url\n', { column: 'link' }, 'no column "link"'],
  ])('throws an InputError for %s', async (_, bytes, format, message) => {
    await expect(checkLists([STDIN, fileInput(await listFile(bytes))], format)).rejects.toThrow(message);
  });
});

describe('readJobs() on demand', () => {
  it('parses a line when its job is taken', async () => {
    const counts = newCounts();
    const stdin = Readable.from([Buffer.from('http://a/\nnope\nhttp://b/\n')]);
    const { value: batch } = await readJobs([STDIN], { stdin }, counts).next();
    expect(counts.read).toBe(0);
    const jobs = batch?.[Symbol.iterator]();
    expect(jobs?.next().value).toMatchObject({ url: 'http://a/' });
    expect(counts.read).toBe(1);
    expect(jobs?.next().value).toMatchObject({ url: 'nope' });
    expect(counts.read).toBe(2);
  });

  it('reads at most one chunk ahead of the one it yields', async () => {
    let chunks = 0;
    const stdin = new Readable({
      highWaterMark: 64 * 1024,
      read() {
        chunks++;
        this.push(Buffer.from('http://a/\n'.repeat(6553)));
      },
    });
    const batches = readJobs([STDIN], { stdin }, newCounts());
    expect([...((await batches.next()).value ?? [])]).toHaveLength(6553);
    // The one yielded, the one ahead, and the one in the buffer of the stream.
    expect(chunks).toBeLessThanOrEqual(3);
    await batches.return();
  });

  it('yields the first line before the second is written', async () => {
    const stdin = new PassThrough();
    const batches = readJobs([STDIN], { stdin }, newCounts());
    stdin.write('http://a/\nhttp://');
    expect([...((await batches.next()).value ?? [])]).toMatchObject([{ url: 'http://a/' }]);
    stdin.end('b/');
    expect([...((await batches.next()).value ?? [])]).toMatchObject([{ url: 'http://b/', line: 2 }]);
    expect((await batches.next()).done).toBe(true);
  });

  it('destroys standard input when it is closed early', async () => {
    const stdin = new PassThrough();
    stdin.write('http://a/\n');
    const batches = readJobs([STDIN], { stdin }, newCounts());
    await batches.next();
    await batches.return();
    expect(stdin.destroyed).toBe(true);
  });

  it('ends when the signal is aborted while it waits for standard input, and drops the unfinished line', async () => {
    const run = new AbortController();
    const stdin = new PassThrough();
    const batches = readJobs(
      [STDIN, { kind: 'url', url: 'http://b/' }],
      { stdin, signal: run.signal },
      newCounts(),
    );
    stdin.write('http://a/\nhttp://half');
    expect([...((await batches.next()).value ?? [])]).toMatchObject([{ url: 'http://a/' }]);
    const next = batches.next();
    run.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(stdin.destroyed).toBe(true);
  });

  it('ends when the signal is aborted while it waits for a named pipe', async () => {
    const dir = await tempDir();
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const run = new AbortController();
    const opening = open(join(dir, 'pipe'), 'w');
    const batches = readJobs(
      [fileInput(join(dir, 'pipe'))],
      { stdin: Readable.from([]), signal: run.signal },
      newCounts(),
    );
    const first = batches.next();
    const writer = await opening;
    await writer.write('http://a/\n');
    expect([...((await first).value ?? [])]).toMatchObject([{ url: 'http://a/' }]);
    const next = batches.next();
    run.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    await writer.close();
  });
});

describe('the counts of readJobs()', () => {
  it('include each line that is neither blank nor a comment, also invalid and skipped ones', async () => {
    const counts = newCounts();
    const jobs = await readText('# x\n\nhttp://a/\nnope\nhttp://a/\nnope\n', { unique: true }, counts);
    expect(jobs.map((job) => [job.index, job.line])).toEqual([
      [0, 3],
      [1, 4],
      [2, 6],
    ]);
    expect(counts).toEqual({ read: 4, skipped: 1, skippedByReason: { duplicate: 1 } });
  });

  it('do not include the jobs of a batch that were not taken', async () => {
    const counts = newCounts();
    const batches = readJobs(
      [STDIN],
      { stdin: Readable.from(['http://a/\nhttp://b/\nhttp://c/\n']) },
      counts,
    );
    for await (const batch of batches) {
      for (const job of batch) if (job.line === 2) break;
    }
    expect(counts).toEqual({ read: 2, skipped: 0 });
  });
});

describe('readJobs() with unique', () => {
  async function lines(text: string[], options: JobOptions = {}): Promise<number[]> {
    return (await readText(text.join('\n'), { unique: true, ...options })).map((job) => job.line);
  }

  it('skips a URL that is the same after parsing', async () => {
    expect(await lines(['http://a', 'HTTP://A:80/', '{"url":"http://a/./"}', 'http://a/x'])).toEqual([1, 4]);
  });

  it('skips a URL that differs in its fragment only', async () => {
    expect(await lines(['http://a/#b', 'http://a/#c', 'http://a/?#', 'http://a/'])).toEqual([1, 3]);
  });

  it('skips across inputs', async () => {
    const inputs: Input[] = [{ kind: 'url', url: 'http://a/' }, STDIN, { kind: 'url', url: 'http://b/' }];
    const stdin = Readable.from(['http://a/\nhttp://b/\n']);
    const counts = newCounts();
    const jobs = await jobsOf(readJobs(inputs, { stdin, unique: true }, counts));
    expect(jobs.map((job) => [job.index, job.url])).toEqual([
      [0, 'http://a/'],
      [1, 'http://b/'],
    ]);
    expect(counts).toEqual({ read: 4, skipped: 2, skippedByReason: { duplicate: 2 } });
  });

  it('distinguishes methods and bodies', async () => {
    const job = (fields: object): string => JSON.stringify({ url: 'http://a/', ...fields });
    expect(
      await lines([
        'http://a/',
        job({ method: 'get' }),
        job({ method: 'POST' }),
        job({ body: '' }),
        job({ body: 'x' }),
        job({ body: 'x', id: 'other' }),
        job({ headers: { x: 'y' } }),
      ]),
    ).toEqual([1, 3, 4, 5]);
  });

  it('uses the default method for a job without a method', async () => {
    const post = '{"url":"http://a/","method":"POST"}';
    expect(await lines(['http://a/', post], { defaultMethod: 'POST' })).toEqual([1]);
    expect(
      await lines(['http://a/', '{"url":"http://a/","method":"GET"}'], { defaultMethod: 'POST' }),
    ).toEqual([1, 2]);
  });

  it('distinguishes the credentials of URLs', async () => {
    expect(await lines(['http://u:1@a/', 'http://u:2@a/', 'http://a/', 'http://u:1@a/'])).toEqual([1, 2, 3]);
  });

  it('never skips an invalid line', async () => {
    expect(await lines(['nope', 'nope', '{"url":"http://a/","x":1}', 'http://a/'])).toEqual([1, 2, 3, 4]);
  });

  it('finds each of 100,000 URLs among 200,000', async () => {
    const half = Array.from({ length: 100_000 }, (_, at) => `https://example.com/${at}`);
    const counts = newCounts();
    const jobs = await readText([...half, ...half].join('\n'), { unique: true }, counts);
    expect(jobs.map((job) => job.url)).toEqual(half);
    expect(counts).toMatchObject({ read: 200_000, skipped: 100_000 });
  });
});

const LIST = `\ufeff# list\nhttp://a/\r\n\n \t\nnope\n  # note\n{"url":1}\n${'x'.repeat(1024 * 1024 + 1)}\n#${'x'.repeat(1024 * 1024)}\nhttp://b/`;

async function listFile(bytes: string | Buffer, name = 'urls.txt'): Promise<string> {
  const dir = await tempDir();
  await writeFile(join(dir, name), bytes);
  return join(dir, name);
}

describe('countJobs()', () => {
  it('counts what readJobs() reads', async () => {
    const path = await listFile(LIST);
    const counts = { read: 0, skipped: 0 };
    for await (const batch of readJobs([{ kind: 'file', path }], { stdin: Readable.from([]) }, counts))
      for (const _ of batch);
    expect(counts.read).toBe(5);
    expect(await countJobs(path)).toBe(5);
  });

  it('counts the lines of a gzip file', async () => {
    expect(await countJobs(await listFile(gzipSync(LIST)))).toBe(5);
  });

  it('counts over many chunks', async () => {
    expect(await countJobs(await listFile('http://example.com/\n'.repeat(50_000)))).toBe(50_000);
  });

  it('counts the rows of a table and the lines that end with NUL', async () => {
    const table = await listFile('id,url\n1,http://a/\n2,\n3\n4,"http://\n', 'a.csv');
    expect(await countJobs(table, undefined, { column: 'url' })).toBe(3);
    expect(await countJobs(table, undefined, { column: 'nope' })).toBeUndefined();
    expect(await countJobs(await listFile('a\0b\0'), undefined, { isNullSeparated: true })).toBe(2);
  });

  it('is 0 for an empty file', async () => {
    expect(await countJobs(await listFile(''))).toBe(0);
  });

  it('resolves to undefined for a missing file, a directory and a damaged gzip file', async () => {
    const dir = await tempDir();
    await mkdir(join(dir, 'lists'));
    await writeFile(join(dir, 'urls.gz'), gzipSync('http://a/\n').subarray(0, 15));
    expect(await countJobs(join(dir, 'gone.txt'))).toBeUndefined();
    expect(await countJobs(join(dir, 'lists'))).toBeUndefined();
    expect(await countJobs(join(dir, 'urls.gz'))).toBeUndefined();
  });

  it('does not open a named pipe or a device', async () => {
    const dir = await tempDir();
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    expect(await countJobs(join(dir, 'pipe'))).toBeUndefined();
    expect(await countJobs('/dev/null')).toBeUndefined();
  });

  it('resolves to undefined when the signal is aborted, before or during the count', async () => {
    const path = await listFile('http://example.com/\n'.repeat(500_000));
    expect(await countJobs(path, AbortSignal.abort())).toBeUndefined();
    const run = new AbortController();
    const counting = countJobs(path, run.signal);
    setImmediate(() => run.abort());
    expect(await counting).toBeUndefined();
  });
});

test('checkLists() does not read on in a line that never ends', async () => {
  const path = join(await tempDir(), 'bomb.gz');
  const zeros = gzipSync(Buffer.alloc(64 * 1024 ** 2));
  // Reading everything would fail at the end, which is not gzip data.
  await writeFile(path, Buffer.concat([zeros, zeros, Buffer.from([0x1f, 0x8b, 0, 0])]));
  await expect(checkLists([fileInput(path)], {})).resolves.toBeUndefined();
});
