import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fanout, type Result } from '../../src/index.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

function recordsIn(stdout: string): Result[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .sort((a, b) => a.index - b.index);
}

async function put(dir: string, name: string, text = 'mine'): Promise<void> {
  await mkdir(dirname(join(dir, name)), { recursive: true });
  await writeFile(join(dir, name), text);
}

describe('--skip-existing', () => {
  it('does not fetch what was saved, and fetches what was not, after a redirect or with any extension', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    const list = [
      `${origin.url}/ok`,
      `${origin.url}/redirect/1`,
      `${origin.url}/text?type=application/json&body=1`,
      `${origin.url}/text?type=nonsense&body=2`,
      `${origin.url}/ok?${'x'.repeat(500)}`,
    ];
    const command = ['fetch', ...list, '--save-dir', dir, '--json'];
    const first = recordsIn((await runInProcess(command)).stdout);
    const requests = origin.requests;
    const { code, stdout, stderr } = await runInProcess([
      ...command,
      `${origin.url}/bytes/3`,
      '--skip-existing',
    ]);
    const second = recordsIn(stdout);
    expect([code, origin.requests]).toEqual([0, requests + 1]);
    for (const [at, { body, url }] of first.entries()) {
      const existing = { path: body?.path, bytes: body?.bytes };
      expect(second[at]).toMatchObject({ url, ok: true, attempts: 0, file: 'existing', body: existing });
      expect(second[at]?.status).toBeUndefined();
    }
    expect([second[5]?.file, second[5]?.status]).toEqual([undefined, 200]);
    expect(stderr).toMatch(/^Done: 6 succeeded, 0 failed$/m);
    expect(stderr).toMatch(/^ {2}files {5}5 existing, not fetched$/m);
    expect(stderr).toMatch(/^ {2}saved {5}1 file \(3B\)/m);
  });

  it('goes by the name that the run gives: --save-as, "save", and not by a directory', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    await put(dir, '0.txt');
    await put(dir, 'mine.html');
    await mkdir(join(dir, '2.txt'));
    const list = await aFile([
      `${origin.url}/ok`,
      `{"url":"${origin.url}/ok?1","save":"mine.html"}`,
      `${origin.url}/ok?2`,
    ]);
    const flags = ['--save-dir', dir, '--save-as', '{index}.{ext}', '--skip-existing', '--json'];
    const records = recordsIn((await runInProcess(['fetch', list, ...flags])).stdout);
    expect(records.map(({ file, body }) => [file, body?.path])).toEqual([
      ['existing', '0.txt'],
      ['existing', 'mine.html'],
      [undefined, undefined],
    ]);
    expect(records[2]?.failure?.kind).toBe('write');
    expect(await readFile(join(dir, '0.txt'), 'utf8')).toBe('mine');
  });

  it('fetches a URL whose body must have a hash, and one of HEAD', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    await put(dir, 'a.txt', 'wrong');
    await put(dir, 'b.txt');
    const sha256 = '0'.repeat(64);
    const list = await aFile([
      `{"url":"${origin.url}/ok","save":"a.txt","expect":{"sha256":"${sha256}"}}`,
      `{"url":"${origin.url}/ok","save":"b.txt","method":"HEAD"}`,
    ]);
    const flags = ['--save-dir', dir, '--skip-existing', '--json'];
    const records = recordsIn((await runInProcess(['fetch', list, ...flags])).stdout);
    expect(records.map(({ status, file }) => [status, file])).toEqual([
      [200, undefined],
      [200, undefined],
    ]);
  });

  it('is shown by --dry-run, which fetches nothing', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    const host = `127.0.0.1_${origin.port}`;
    await put(dir, `${host}/ok~.html`);
    const flags = ['--save-dir', dir, '--dry-run', '--skip-existing'];
    const { stdout } = await runInProcess(['fetch', `${origin.url}/ok`, `${origin.url}/no`, ...flags]);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).existing),
    ).toEqual([`${host}/ok~.html`, undefined]);
    expect(origin.requests).toBe(0);
  });

  it('holds in threads, in text, and in the library', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    await put(dir, `127.0.0.1_${origin.port}/ok~.txt`);
    const command = ['fetch', `${origin.url}/ok`, '--save-dir', dir, '--skip-existing', '--threads', '2'];
    expect((await runCli(command)).stdout).toBe(`OK    -  ${origin.url}/ok   0ms  4B (existing)\n`);
    for await (const result of fanout([`${origin.url}/ok`], { saveDir: dir, skipExisting: true })) {
      expect(result).toMatchObject({ ok: true, attempts: 0, file: 'existing', body: { bytes: 4 } });
    }
    expect(origin.requests).toBe(0);
  });

  it('takes results from the journal first, and writes none to it', async () => {
    const origin = await anOrigin();
    const [dir, journal] = [await tempDir(), join(await tempDir(), 'journal')];
    await put(dir, `127.0.0.1_${origin.port}/ok~.txt`);
    const command = ['fetch', `${origin.url}/ok`, `${origin.url}/bytes/2`, '--save-dir', dir, '--json'];
    const flags = ['--journal', journal, '--skip-existing'];
    await runInProcess([...command, ...flags]);
    const again = recordsIn((await runInProcess([...command, ...flags])).stdout);
    expect(again.map(({ file, status }) => [file, status])).toEqual([
      ['existing', undefined],
      [undefined, 200],
    ]);
    expect(origin.requests).toBe(1);
  });

  it('needs --save-dir', async () => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', '--skip-existing']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--skip-existing needs --save-dir')]);
  });
});

describe('--checksums', () => {
  it('writes what sha256sum -c accepts, also after a run that was stopped, and for files that were not fetched again', async () => {
    const origin = await anOrigin();
    const [dir, journal] = [await tempDir(), join(await tempDir(), 'journal')];
    const list = await aFile([
      ...urls(origin, '/bytes/100', 5),
      `${origin.url}/gzip/5000`,
      `${origin.url}/status/404`,
      `{"url":"${origin.url}/ok","save":"Größe und so.txt"}`,
    ]);
    const sums = join(dir, 'SHA256SUMS');
    const command = ['fetch', list, '--save-dir', dir, '--checksums', sums, '-c', '1', '--retries', '0'];
    const check = () =>
      execFileSync('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: dir, encoding: 'utf8' });
    await runInProcess([...command, '--journal', journal, '--fail-fast']);
    const stopped = check().trimEnd().split('\n');
    expect(stopped.length).toBeGreaterThan(4);
    await runInProcess([...command, '--journal', journal]);
    expect(check().trimEnd().split('\n')).toHaveLength(7);
    const before = await readFile(sums, 'utf8');
    await rm(sums);
    const requests = origin.requests;
    await runInProcess([...command, '--journal', journal, '--keep-failed']);
    expect([await readFile(sums, 'utf8'), origin.requests]).toEqual([before, requests]);
    await runInProcess([...command, '--skip-existing']);
    expect(await readFile(sums, 'utf8')).toBe(before);
    await rm(join(dir, 'Größe und so.txt'));
    await runInProcess(['fetch', `${origin.url}/ok`, '--save-dir', dir, '--checksums', sums]);
    const names = check();
    expect(names).not.toContain('und so');
    expect(names.trimEnd().split('\n')).toHaveLength(7);
  });

  it('may be in a directory that the run creates', async () => {
    const origin = await anOrigin();
    const dir = join(await tempDir(), 'new');
    const command = ['fetch', `${origin.url}/ok`, '--save-dir', dir, '--checksums'];
    expect((await runInProcess([...command, join(dir, 'no/SUMS')])).code).toBe(3);
    expect(await runInProcess([...command, join(dir, 'SUMS')])).toMatchObject({ code: 0 });
    expect(await readFile(join(dir, 'SUMS'), 'utf8')).toMatch(
      /^[\da-f]{64} {2}127\.0\.0\.1_\d+\/ok~\.txt\n$/,
    );
  });

  it('has the same lines with threads', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    const list = await aFile(urls(origin, '/bytes/100', 20));
    const sums = join(dir, 'SHA256SUMS');
    const command = ['fetch', list, '--save-dir', dir, '--checksums', sums];
    await runCli([...command, '--threads', '2']);
    const lines = await readFile(sums, 'utf8');
    expect(lines.trimEnd().split('\n')).toHaveLength(20);
    await rm(sums);
    await runInProcess(command);
    expect(await readFile(sums, 'utf8')).toBe(lines);
  });

  it.each([
    [['--checksums', 'x'], '--checksums needs --save-dir'],
    [['--checksums', '-', '--save-dir', 'd'], 'must be the name of a file'],
    [['--checksums', 'x.gz', '--save-dir', 'd'], 'must not end in .gz'],
    [['--checksums', 'same', '--failed', 'same', '--save-dir', 'd'], 'name another file'],
  ])('%j is wrong usage', async (flags, message) => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('does not replace another file', async () => {
    const list = await aFile(['http://127.0.0.1:1/']);
    const notes = await aFile(['my notes'], 'notes.txt');
    const { code, stderr } = await runInProcess([
      'fetch',
      list,
      '--save-dir',
      await tempDir(),
      '--checksums',
      notes,
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('notes.txt:1 is not a line of sha256sum')]);
    expect(await readFile(notes, 'utf8')).toBe('my notes\n');
  });
});
