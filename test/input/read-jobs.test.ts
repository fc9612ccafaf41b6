import { execFileSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Input } from '../../src/input/input.ts';
import { type InputCounts, type JobOptions, readJobs } from '../../src/input/read-jobs.ts';
import { InputError } from '../../src/model/errors.ts';
import type { Job } from '../../src/model/job.ts';
import { tempDir } from './temp-dir.ts';

const STDIN: Input = { kind: 'stdin' };
const fileInput = (path: string): Input => ({ kind: 'file', path });
const newTally = (): InputCounts => ({ read: 0, skipped: 0 });

async function jobsOf(batches: AsyncIterable<Iterable<Job>>): Promise<Job[]> {
  const jobs: Job[] = [];
  for await (const batch of batches) jobs.push(...batch);
  return jobs;
}

function readText(text: string, options: JobOptions = {}, tally = newTally()): Promise<Job[]> {
  return jobsOf(readJobs([STDIN], { stdin: Readable.from([Buffer.from(text)]), ...options }, tally));
}

describe('readJobs()', () => {
  it('gives each line its index, source and line', async () => {
    expect(await readText('\ufeff# list\nhttp://a/\r\n\n  http://b/  \nhttp://c/')).toEqual([
      { index: 0, source: '-', line: 2, url: 'http://a/' },
      { index: 1, source: '-', line: 4, url: 'http://b/' },
      { index: 2, source: '-', line: 5, url: 'http://c/' },
    ]);
  });

  it('gives a job for a bad line, and goes on', async () => {
    const jobs = await readText('http://a/\nnope\n{"url":7}\nhttp://b/\n');
    expect(jobs.map((job) => job.invalid === undefined)).toEqual([true, false, false, true]);
    expect(jobs.map((job) => job.index)).toEqual([0, 1, 2, 3]);
  });

  it('reads several inputs in order, each with its own lines', async () => {
    const at = await tempDir();
    await writeFile(at('one.txt'), 'http://a/\nhttp://b/');
    await writeFile(at('two.txt.gz'), gzipSync('\n\ufeffhttp://d/\n'));
    const inputs: Input[] = [
      fileInput(at('one.txt')),
      { kind: 'url', url: 'http://x' },
      STDIN,
      fileInput(at('two.txt.gz')),
      { kind: 'url', url: 'http://u:p@y:x' },
    ];
    const jobs = await jobsOf(readJobs(inputs, { stdin: Readable.from(['http://c/\n']) }, newTally()));
    expect(jobs).toEqual([
      { index: 0, source: at('one.txt'), line: 1, url: 'http://a/' },
      { index: 1, source: at('one.txt'), line: 2, url: 'http://b/' },
      { index: 2, source: 'arguments', line: 1, url: 'http://x/' },
      { index: 3, source: '-', line: 1, url: 'http://c/' },
      { index: 4, source: at('two.txt.gz'), line: 2, url: 'http://d/' },
      { index: 5, source: 'arguments', line: 2, url: 'http://***@y:x', invalid: expect.any(String) },
    ]);
  });

  it('reads standard input once, like cat, when it is named twice', async () => {
    const stdin = Readable.from(['http://a/\n']);
    const jobs = await jobsOf(readJobs([STDIN, STDIN], { stdin }, newTally()));
    expect(jobs.map((job) => job.url)).toEqual(['http://a/']);
  });

  it('gives no job for an empty input', async () => {
    const tally = newTally();
    expect(await readText('', {}, tally)).toEqual([]);
    expect(await readText('# nothing\n\n', {}, tally)).toEqual([]);
    expect(tally).toEqual({ read: 0, skipped: 0 });
  });

  it('gives the same jobs wherever the bytes are cut in two', async () => {
    const bytes = Buffer.from('\ufeffhttp://ä.example/€\r\n# ü\n{"url":"http://h/","body":"𝄞"}\r\nno → url');
    const cutAt = (at: number): Promise<Job[]> => {
      const stdin = Readable.from(
        [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0),
      );
      return jobsOf(readJobs([STDIN], { stdin }, newTally()));
    };
    const whole = await cutAt(0);
    expect(whole.map((job) => job.line)).toEqual([1, 3, 4]);
    for (let at = 1; at < bytes.length; at++) expect(await cutAt(at), `cut at ${at}`).toEqual(whole);
  });

  it('fails a line over 1 MiB, shows its start without secrets, and goes on with the right line', async () => {
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
        invalid: expect.stringContaining('it is over 1 MiB long'),
      },
      {
        index: 1,
        source: '-',
        line: 2,
        url: '{"url":"http://b/","…',
        invalid: expect.stringContaining('it is over 1 MiB long'),
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

  it('puts the default scheme before URLs that have none', async () => {
    expect(
      (await readText('a.example/x\nhttp://b/', { defaultScheme: 'https' })).map((job) => job.url),
    ).toEqual(['https://a.example/x', 'http://b/']);
  });

  it('throws an InputError for a missing file, after the jobs before it', async () => {
    const batches = readJobs(
      [{ kind: 'url', url: 'http://a/' }, fileInput('/no/such/file')],
      { stdin: Readable.from([]) },
      newTally(),
    );
    expect([...((await batches.next()).value ?? [])]).toHaveLength(1);
    await expect(batches.next()).rejects.toThrow(InputError);
  });

  it('throws an InputError for a broken gzip file', async () => {
    const at = await tempDir();
    await writeFile(at('a.gz'), gzipSync('http://a/\n').subarray(0, 15));
    await expect(
      jobsOf(readJobs([fileInput(at('a.gz'))], { stdin: Readable.from([]) }, newTally())),
    ).rejects.toThrow(`Cannot unpack "${at('a.gz')}"`);
  });
});

describe('readJobs() on demand', () => {
  it('parses a line when its job is asked for', async () => {
    const tally = newTally();
    const stdin = Readable.from([Buffer.from('http://a/\nnope\nhttp://b/\n')]);
    const { value: batch } = await readJobs([STDIN], { stdin }, tally).next();
    expect(tally.read).toBe(0);
    const jobs = batch?.[Symbol.iterator]();
    expect(jobs?.next().value).toMatchObject({ url: 'http://a/' });
    expect(tally.read).toBe(1);
    expect(jobs?.next().value).toMatchObject({ url: 'nope' });
    expect(tally.read).toBe(2);
  });

  it('reads no more than a chunk ahead of the one it gives out', async () => {
    let chunks = 0;
    const stdin = new Readable({
      highWaterMark: 64 * 1024,
      read() {
        chunks++;
        this.push(Buffer.from('http://a/\n'.repeat(6553)));
      },
    });
    const batches = readJobs([STDIN], { stdin }, newTally());
    expect([...((await batches.next()).value ?? [])]).toHaveLength(6553);
    // The one given out, the one ahead, and the one the stream itself holds.
    expect(chunks).toBeLessThanOrEqual(3);
    await batches.return();
  });

  it('gives the first line before the second is written', async () => {
    const stdin = new PassThrough();
    const batches = readJobs([STDIN], { stdin }, newTally());
    stdin.write('http://a/\nhttp://');
    expect([...((await batches.next()).value ?? [])]).toMatchObject([{ url: 'http://a/' }]);
    stdin.end('b/');
    expect([...((await batches.next()).value ?? [])]).toMatchObject([{ url: 'http://b/', line: 2 }]);
    expect((await batches.next()).done).toBe(true);
  });

  it('destroys standard input when it is closed early', async () => {
    const stdin = new PassThrough();
    stdin.write('http://a/\n');
    const batches = readJobs([STDIN], { stdin }, newTally());
    await batches.next();
    await batches.return();
    expect(stdin.destroyed).toBe(true);
  });

  it('ends while it waits for standard input when the signal is aborted, without the half line', async () => {
    const run = new AbortController();
    const stdin = new PassThrough();
    const batches = readJobs(
      [STDIN, { kind: 'url', url: 'http://b/' }],
      { stdin, signal: run.signal },
      newTally(),
    );
    stdin.write('http://a/\nhttp://half');
    expect([...((await batches.next()).value ?? [])]).toMatchObject([{ url: 'http://a/' }]);
    const next = batches.next();
    run.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(stdin.destroyed).toBe(true);
  });

  it('ends while it waits for a named pipe when the signal is aborted', async () => {
    const at = await tempDir();
    execFileSync('mkfifo', [at('pipe')]);
    const run = new AbortController();
    const opening = open(at('pipe'), 'w');
    const batches = readJobs(
      [fileInput(at('pipe'))],
      { stdin: Readable.from([]), signal: run.signal },
      newTally(),
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

describe('readJobs() counts', () => {
  it('each line that is no comment and not blank, also the bad and the skipped ones', async () => {
    const tally = newTally();
    const jobs = await readText('# x\n\nhttp://a/\nnope\nhttp://a/\nnope\n', { unique: true }, tally);
    expect(jobs.map((job) => [job.index, job.line])).toEqual([
      [0, 3],
      [1, 4],
      [2, 6],
    ]);
    expect(tally).toEqual({ read: 4, skipped: 1 });
  });

  it('nothing of a batch that is left half way', async () => {
    const tally = newTally();
    const batches = readJobs([STDIN], { stdin: Readable.from(['http://a/\nhttp://b/\nhttp://c/\n']) }, tally);
    for await (const batch of batches) {
      for (const job of batch) if (job.line === 2) break;
    }
    expect(tally).toEqual({ read: 2, skipped: 0 });
  });
});

describe('readJobs() with unique', () => {
  async function lines(text: string[], options: JobOptions = {}): Promise<number[]> {
    return (await readText(text.join('\n'), { unique: true, ...options })).map((job) => job.line);
  }

  it('skips a URL that is the same once it is parsed', async () => {
    expect(await lines(['http://a', 'HTTP://A:80/', '{"url":"http://a/./"}', 'http://a/x'])).toEqual([1, 4]);
  });

  it('skips across inputs', async () => {
    const inputs: Input[] = [{ kind: 'url', url: 'http://a/' }, STDIN, { kind: 'url', url: 'http://b/' }];
    const stdin = Readable.from(['http://a/\nhttp://b/\n']);
    const tally = newTally();
    const jobs = await jobsOf(readJobs(inputs, { stdin, unique: true }, tally));
    expect(jobs.map((job) => [job.index, job.url])).toEqual([
      [0, 'http://a/'],
      [1, 'http://b/'],
    ]);
    expect(tally).toEqual({ read: 4, skipped: 2 });
  });

  it('tells methods and bodies apart', async () => {
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

  it('takes the default method for that of a job that names none', async () => {
    const post = '{"url":"http://a/","method":"POST"}';
    expect(await lines(['http://a/', post], { defaultMethod: 'POST' })).toEqual([1]);
    expect(
      await lines(['http://a/', '{"url":"http://a/","method":"GET"}'], { defaultMethod: 'POST' }),
    ).toEqual([1, 2]);
  });

  it('tells the credentials of a URL apart', async () => {
    expect(await lines(['http://u:1@a/', 'http://u:2@a/', 'http://a/', 'http://u:1@a/'])).toEqual([1, 2, 3]);
  });

  it('never skips a bad line', async () => {
    expect(await lines(['nope', 'nope', '{"url":"http://a/","x":1}', 'http://a/'])).toEqual([1, 2, 3, 4]);
  });

  it('finds each of 100,000 URLs among 200,000', async () => {
    const half = Array.from({ length: 100_000 }, (_, at) => `https://example.com/${at}`);
    const tally = newTally();
    const jobs = await readText([...half, ...half].join('\n'), { unique: true }, tally);
    expect(jobs.map((job) => job.url)).toEqual(half);
    expect(tally).toEqual({ read: 200_000, skipped: 100_000 });
  });
});
