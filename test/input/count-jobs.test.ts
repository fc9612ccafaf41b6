import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { countJobs, readJobs } from '../../src/input/read-jobs.ts';
import { tempDir } from './temp-dir.ts';

const LIST = `\ufeff# list\nhttp://a/\r\n\n \t\nnope\n  # note\n{"url":1}\n${'x'.repeat(1024 * 1024 + 1)}\n#${'x'.repeat(1024 * 1024)}\nhttp://b/`;

async function listFile(bytes: string | Buffer, name = 'urls.txt'): Promise<string> {
  const at = await tempDir();
  await writeFile(at(name), bytes);
  return at(name);
}

describe('countJobs()', () => {
  it('counts what readJobs() reads', async () => {
    const path = await listFile(LIST);
    const tally = { read: 0, skipped: 0 };
    for await (const batch of readJobs([{ kind: 'file', path }], { stdin: Readable.from([]) }, tally))
      for (const _ of batch);
    expect(tally.read).toBe(5);
    expect(await countJobs(path)).toBe(5);
  });

  it('counts the lines of a gzip file', async () => {
    expect(await countJobs(await listFile(gzipSync(LIST)))).toBe(5);
  });

  it('counts over many chunks', async () => {
    expect(await countJobs(await listFile('http://example.com/\n'.repeat(50_000)))).toBe(50_000);
  });

  it('is 0 for an empty file', async () => {
    expect(await countJobs(await listFile(''))).toBe(0);
  });

  it('knows nothing of a missing file, a directory or a broken gzip file', async () => {
    const at = await tempDir();
    await mkdir(at('lists'));
    await writeFile(at('urls.gz'), gzipSync('http://a/\n').subarray(0, 15));
    expect(await countJobs(at('gone.txt'))).toBeUndefined();
    expect(await countJobs(at('lists'))).toBeUndefined();
    expect(await countJobs(at('urls.gz'))).toBeUndefined();
  });

  it('leaves a named pipe alone', async () => {
    const at = await tempDir();
    execFileSync('mkfifo', [at('pipe')]);
    expect(await countJobs(at('pipe'))).toBeUndefined();
    expect(await countJobs('/dev/null')).toBeUndefined();
  });

  it('knows nothing when the signal is aborted, before or on the way', async () => {
    const path = await listFile('http://example.com/\n'.repeat(500_000));
    expect(await countJobs(path, AbortSignal.abort())).toBeUndefined();
    const run = new AbortController();
    const counting = countJobs(path, run.signal);
    setImmediate(() => run.abort());
    expect(await counting).toBeUndefined();
  });
});
