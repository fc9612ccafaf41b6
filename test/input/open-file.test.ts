import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { openFile } from '../../src/input/read-stream.ts';
import { InputError } from '../../src/model/errors.ts';
import { tempDir } from './temp-dir.ts';

describe('openFile()', () => {
  it('reads a file', async () => {
    const at = await tempDir();
    await writeFile(at('urls.txt'), 'a\nb\n');
    expect(await text(await openFile(at('urls.txt')))).toBe('a\nb\n');
  });

  it('throws an InputError for a missing file and for a directory', async () => {
    const at = await tempDir();
    await mkdir(at('lists'));
    await expect(openFile(at('gone.txt'))).rejects.toThrow(InputError);
    await expect(openFile(at('gone.txt'))).rejects.toThrow('there is no such file');
    await expect(openFile(at('lists'))).rejects.toThrow('it is a directory');
  });
});

describe('openFile() of a named pipe', () => {
  async function pipe(): Promise<string> {
    const at = await tempDir();
    execFileSync('mkfifo', [at('pipe')]);
    return at('pipe');
  }

  it('waits for the writer, and reads to the end', async () => {
    const path = await pipe();
    const opening = openFile(path);
    const written = writeFile(path, 'a\n'.repeat(100_000));
    expect(await text(await opening)).toBe('a\n'.repeat(100_000));
    await written;
  });

  it('can be destroyed while the writer is silent', async () => {
    const path = await pipe();
    const [writer, stream] = await Promise.all([open(path, 'w'), openFile(path)]);
    stream.resume();
    stream.destroy();
    await once(stream, 'close');
    await writer.close();
  });

  it('gives up waiting for a writer when the signal is aborted', async () => {
    const path = await pipe();
    const run = new AbortController();
    const listening = new Promise<void>((resolve) => {
      const listen = run.signal.addEventListener.bind(run.signal);
      run.signal.addEventListener = (...args: Parameters<typeof listen>) => {
        listen(...args);
        resolve();
      };
    });
    const opening = openFile(path, run.signal);
    await listening;
    run.abort();
    expect(await text(await opening)).toBe('');
  });

  it('does not wait for a writer when the signal was aborted before', async () => {
    const path = await pipe();
    expect(await text(await openFile(path, AbortSignal.abort()))).toBe('');
    const run = new AbortController();
    const opening = openFile(path, run.signal);
    run.abort();
    expect(await text(await opening)).toBe('');
  });
});
