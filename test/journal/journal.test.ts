import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { isBodySaved, Journal, type JournalOptions } from '../../src/journal/journal.ts';
import { UsageError } from '../../src/model/errors.ts';
import type { FailureKind } from '../../src/model/failure.ts';
import type { OkResult } from '../../src/model/result.ts';
import { createUrlFilter } from '../../src/model/url-filter.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { type Fetch, GET, job, journalOptions, run, succeed } from './a-journal.ts';

const [A, B, C] = ['https://example.com/a', 'https://example.com/b', 'https://example.com/c'];

async function newPath(): Promise<string> {
  return join(await tempDir(), 'run.journal');
}

function failingOn(bad: string, kind: FailureKind = 'status'): Fetch {
  return ({ index, url }) => (url === bad ? failedResult(kind, { index, url }) : okResult({ index, url }));
}

test('a new journal is readable by its owner only, and an old one keeps its permissions', async () => {
  const path = await newPath();
  await run(path, [A]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await chmod(path, 0o640);
  await run(path, [A]);
  expect((await stat(path)).mode & 0o777).toBe(0o640);
});

test('the next run does not fetch what a run has finished', async () => {
  const path = await newPath();
  expect((await run(path, [A, B])).fetched).toEqual([A, B]);
  const next = await run(path, [A, B, C]);
  expect(next.fetched).toEqual([C]);
  expect(next.records).toBe(2);
});

test('a recalled result is the one that was written, with the index, source and line of its job', async () => {
  const path = await newPath();
  const full = okResult({
    index: 7,
    source: 'old.txt',
    line: 70,
    id: 'old',
    url: A,
    finalUrl: B,
    method: 'HEAD',
    redirects: [{ status: 301, url: A }],
    contentType: 'text/plain; a="ü"',
    ttfbMs: 3,
    body: { path: 'a.html', bytes: 3, sha256: 'ff' },
    warning: { kind: 'blocked', message: 'a challenge' },
  });
  await run(path, [A], { fetch: () => ({ ...full, index: 0 }) });
  const journal = await Journal.open(path, journalOptions());
  const recalled = journal.recall(job(3, A, { source: 'new.txt', line: 9 }), GET);
  await journal.end();
  expect(recalled).toMatchObject({
    ...full,
    ...{ index: 3, source: 'new.txt', line: 9, id: undefined, isResumed: true },
  });
});

test('a recalled result has no id if its job has none', async () => {
  const path = await newPath();
  await run(path, [A], { fetch: () => okResult({ url: A, id: 'old' }) });
  expect((await run(path, [A])).results[0]?.id).toBeUndefined();
});

test('a recalled result has no comparison with the baseline', async () => {
  const path = await newPath();
  const fetch = () => failedResult('status', { url: A, baseline: 'known', badRuns: 1 });
  await run(path, [A], { fetch });
  const { results } = await run(path, [A], { keepFailed: true });
  expect(results[0]).toMatchObject({ ok: false, baseline: undefined, badRuns: undefined });
});

test('a recalled success does not say what its run did with its file; a failure does', async () => {
  const path = await newPath();
  const fetch: Fetch = ({ index, url }) =>
    url === A
      ? okResult({ index, url, file: 'changed' })
      : failedResult('status', { index, url, file: 'kept' });
  await run(path, [A, B], { fetch });
  const { results } = await run(path, [A, B], { keepFailed: true });
  expect(results.map(({ file }) => file)).toEqual([undefined, 'kept']);
});

test('a recalled result is not appended again', async () => {
  const path = await newPath();
  await run(path, [A, B]);
  const before = await readFile(path, 'utf8');
  await run(path, [A, B]);
  expect(await readFile(path, 'utf8')).toBe(before);
});

test('a URL that counts as OK without a response is fetched again', async () => {
  const path = await newPath();
  const warning = { kind: 'blocked', message: 'not sent' } as const;
  await run(path, [A, B], {
    fetch: ({ index, url }) => okResult({ index, url, warning, status: url === A ? undefined : 429 }),
  });
  expect((await run(path, [A, B])).fetched).toEqual([A]);
});

test('a failure is fetched again, and its later success counts', async () => {
  const path = await newPath();
  await run(path, [A, B], { fetch: failingOn(A) });
  expect((await run(path, [A, B])).fetched).toEqual([A]);
  expect((await run(path, [A, B], { keepFailed: true })).results.map(({ ok }) => ok)).toEqual([true, true]);
});

test('a failure is recalled with keepFailed', async () => {
  const path = await newPath();
  await run(path, [A, B], { fetch: failingOn(A) });
  const next = await run(path, [A, B], { keepFailed: true });
  expect(next.fetched).toEqual([]);
  expect(next.results[0]).toMatchObject({ ok: false, failure: { kind: 'status' } });
});

test('a failure after a success counts: the last record is used', async () => {
  const path = await newPath();
  await run(path, [A]);
  await run(path, [A], { confirm: () => false, fetch: failingOn(A) });
  expect((await run(path, [A])).fetched).toEqual([A]);
});

describe('a result that is older than its maximum age is fetched again', () => {
  const HOUR = 3_600_000;
  const URLS = Array.from({ length: 200 }, (_, index) => `https://example.com/${index}`);
  /** Two runs, with `age` between them; every URL with an odd number fails. Returns the numbers that the second one fetches. */
  async function fetchedAfter(age: number, options: Partial<JournalOptions>): Promise<number[]> {
    const path = join(await tempDir(), 'journal');
    const startedAt = Date.UTC(2026, 0, 1);
    const result: Fetch = ({ index, source, line, url }) => {
      const own = { index, source, line, url, startedAt };
      return index % 2 === 0 ? okResult(own) : failedResult('status', own);
    };
    const clockAt = (now: number) => ({ ...systemClock, now: () => now });
    await run(path, URLS, { fetch: result });
    const { fetched } = await run(path, URLS, { ...options, clock: clockAt(startedAt + age) });
    return fetched.map((url) => URLS.indexOf(url));
  }
  const [even, odd] = [0, 1].map((rest) =>
    URLS.map((_, index) => index).filter((index) => index % 2 === rest),
  );
  const all = URLS.map((_, index) => index);

  test.each<[string, number, Partial<JournalOptions>, number[] | undefined]>([
    ['OK results are kept before', 0.79 * HOUR, { maxAges: { ok: HOUR, failed: undefined } }, odd],
    ['and at once after the response', 0, { maxAges: { ok: HOUR, failed: undefined } }, odd],
    ['OK results expire', HOUR, { maxAges: { ok: HOUR, failed: undefined } }, all],
    ['at an age of 0 at once', 0, { maxAges: { ok: 0, failed: undefined } }, all],
    [
      'failures are kept before, if they have an age',
      0.79 * HOUR,
      { maxAges: { ok: undefined, failed: HOUR } },
      [],
    ],
    ['failures expire', HOUR, { maxAges: { ok: undefined, failed: HOUR } }, odd],
    [
      'with keepFailed, failures have no age of OK results',
      HOUR,
      { keepFailed: true, maxAges: { ok: HOUR, failed: undefined } },
      even,
    ],
    ['with refreshes, all results', 0, { refreshes: true }, all],
    [
      'with refreshes, OK results have their age',
      0,
      { refreshes: true, maxAges: { ok: HOUR, failed: undefined } },
      odd,
    ],
    ['with refreshes, failures can be kept', 0, { refreshes: true, keepFailed: true }, even],
    ['results from the future', -1, { keepFailed: true, maxAges: { ok: HOUR, failed: HOUR } }, all],
  ])('%s', async (_, age, options, expected) => {
    expect(await fetchedAfter(age, options)).toEqual(expected);
  });

  test('some before others, in the last fifth of the time', async () => {
    const maxAges = { ok: HOUR, failed: HOUR };
    const early = (await fetchedAfter(0.87 * HOUR, { maxAges })).length;
    const late = (await fetchedAfter(0.93 * HOUR, { maxAges })).length;
    // About 70 and 130. Each journal hashes with a seed of its own.
    expect([early > 30, early < 110, late > 90, late < 170]).toEqual([true, true, true, true]);
  });
});

test('a job that was cut off by the end of the run is fetched again, even with keepFailed', async () => {
  const path = await newPath();
  const deadline = { kind: 'aborted', code: 'ERR_DEADLINE', message: 'the deadline has come' } as const;
  const fetch: Fetch = ({ index, url }) =>
    url === A
      ? failedResult('aborted', { index, url })
      : failedResult('aborted', { index, url, attempts: 1, failure: deadline });
  await run(path, [A, B], { fetch });
  expect((await run(path, [A, B], { keepFailed: true })).fetched).toEqual([A, B]);
});

test('a timeout of the server is recalled with keepFailed', async () => {
  const path = await newPath();
  await run(path, [A], { fetch: failingOn(A, 'timeout') });
  expect((await run(path, [A], { keepFailed: true })).fetched).toEqual([]);
});

test('a result that confirm() refuses is fetched and written again', async () => {
  const path = await newPath();
  await run(path, [A, B]);
  const next = await run(path, [A, B], { confirm: ({ url }) => url !== A });
  expect(next.fetched).toEqual([A]);
  expect((await run(path, [A, B])).records).toBe(3);
});

test('a result with a redirect that the run would not follow is fetched again', async () => {
  const path = await newPath();
  const redirects = [
    { status: 301, url: A },
    { status: 301, url: B },
  ];
  await run(path, [A], { fetch: ({ index, url }) => okResult({ index, url, redirects, finalUrl: C }) });
  const filter = (exclude: RegExp) => createUrlFilter({ include: [], exclude: [exclude] });
  expect((await run(path, [A], { filter: filter(/\/x$/) })).fetched).toEqual([]);
  expect((await run(path, [A], { filter: filter(/\/b$/) })).fetched).toEqual([A]);
});

test('a file is looked up in each run, and has no record', async () => {
  const path = await newPath();
  const journal = await Journal.open(path, journalOptions());
  const local = job(0, 'file:///a', { isLocal: true });
  expect(journal.recall(local, GET)).toBeUndefined();
  await journal.write(okResult({ index: 0, url: local.url }));
  await journal.end();
  expect((await run(path, [])).records).toBe(0);
});

describe('isBodySaved()', () => {
  const path = 'a/body.txt';

  test.each<[string, Partial<OkResult>, boolean]>([
    ['a file of this size', { body: { path, bytes: 3 } }, true],
    ['a file of another size', { body: { path, bytes: 4 } }, false],
    ['a file that is not there', { body: { path: 'a/none', bytes: 3 } }, false],
    ['a directory', { body: { path: 'a', bytes: 3 } }, false],
    ['a link', { body: { path: 'a/link', bytes: 3 } }, false],
    ['a success without a file', {}, false],
    ['a success with its body in the record', { body: { bytes: 3, text: 'abc' } }, false],
    ['a success of HEAD, which has no body', { method: 'HEAD' }, true],
  ])('of %s', async (_, changes, isSaved) => {
    const dir = await tempDir();
    await mkdir(join(dir, 'a'));
    await writeFile(join(dir, path), 'abc');
    await symlink('body.txt', join(dir, 'a/link'));
    expect(isBodySaved(okResult(changes), dir)).toBe(isSaved);
  });

  test('is true for a failure, of which nothing is saved, unless its body was', () => {
    expect(isBodySaved(failedResult('dns'), '/none')).toBe(true);
    expect(isBodySaved(failedResult('status', { body: { path, bytes: 3 } }), '/none')).toBe(false);
  });
});

test('lines of the list may be added, removed and moved', async () => {
  const path = await newPath();
  await run(path, [A, B]);
  const next = await run(path, [C, B, A]);
  expect(next.fetched).toEqual([C]);
  expect(next.results.map(({ index, url }) => [index, url])).toEqual([[0, C], [1, B], [2, A]]); // biome-ignore format: a table
  expect((await run(path, [B])).fetched).toEqual([]);
});

test('a URL that is in the list three times is fetched three times, and each has its own record', async () => {
  const path = await newPath();
  expect((await run(path, [A, A])).fetched).toEqual([A, A]);
  expect((await run(path, [A, B, A, A])).fetched).toEqual([B, A]);
  expect((await run(path, [A, A, A, A, B])).fetched).toEqual([A]);
});

test('of a URL that is in the list three times, the one that failed is fetched again', async () => {
  const path = await newPath();
  const fetch: Fetch = ({ index, url }) =>
    index === 1 ? failedResult('dns', { index, url }) : okResult({ index, url });
  await run(path, [A, A, A], { fetch });
  const journal = await Journal.open(path, journalOptions());
  const recalled = [0, 1, 2].map((index) => journal.recall(job(index, A), GET)?.index);
  await journal.end();
  expect(recalled).toEqual([0, undefined, 2]);
});

test('results may be written in any order', async () => {
  const path = await newPath();
  const journal = await Journal.open(path, journalOptions());
  for (const [index, url] of [A, B, A].entries()) journal.recall(job(index, url), GET);
  for (const [index, url] of [
    [2, A],
    [1, B],
    [0, A],
  ] as const) {
    await journal.write(okResult({ index, url, bytes: index }));
  }
  await journal.end();
  expect((await run(path, [A, B, A])).results.map(({ bytes }) => bytes)).toEqual([0, 1, 2]);
});

test('jobs with different methods or bodies are different jobs', async () => {
  const path = await newPath();
  const jobs = [
    ['GET', undefined],
    ['POST', undefined],
    ['POST', ''],
    ['POST', 'a'],
    ['POST', 'b'],
    ['POST', Uint8Array.of(1)],
    ['POST', Uint8Array.of(2)],
  ] as const;
  for (const expected of ['fetched', 'recalled']) {
    const journal = await Journal.open(path, journalOptions());
    for (const [index, [method, body]] of jobs.entries()) {
      const recalled = journal.recall(job(index, A), { method, headers: {}, body });
      expect(recalled?.bytes).toBe(expected === 'fetched' ? undefined : index);
      await journal.write(okResult({ index, url: A, bytes: index }));
    }
    await journal.end();
  }
});

test('an invalid job is recorded with its printable URL', async () => {
  const path = await newPath();
  await run(path, ['no url\\u{0}'], { fetch: ({ index, url }) => failedResult('invalid', { index, url }) });
  expect((await run(path, ['no url\\u{0}'], { keepFailed: true })).fetched).toEqual([]);
});

test('a record with the hash of another URL is not used for that URL', async () => {
  const path = await newPath();
  await run(path, [A], { fetch: () => okResult({ url: B }) });
  expect((await run(path, [A])).fetched).toEqual([A]);
});

test('each line is JSON that contains the record', async () => {
  const path = await newPath();
  await run(path, [A, A], { fetch: failingOn(B) });
  const [header, first, second, rest] = (await readFile(path, 'utf8')).split('\n');
  expect(JSON.parse(header ?? '')).toEqual({
    fanout: 'journal',
    v: 2,
    seed: expect.stringMatching(/^[0-9a-f]{16}$/),
    crc: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  expect(JSON.parse(first ?? '')).toMatchObject({ ok: 1, n: 0, record: { v: 1, url: A, ok: true } });
  expect(JSON.parse(second ?? '')).toMatchObject({ n: 1, record: { index: 1 } });
  expect(rest).toBe('');
});

test('records of any length are found in a journal of many pages, in any order', async () => {
  const path = await newPath();
  const urls = Array.from({ length: 3000 }, (_, index) => `https://example.com/${index}`);
  const text = (index: number) => 'ü'.repeat(index % 500 === 7 ? 200_000 : index % 97);
  const fetch: Fetch = ({ index, url }) =>
    okResult({ index, url, body: { bytes: index, text: text(index) } });
  await run(path, urls, { fetch });
  for (const order of [urls, urls.toReversed()]) {
    const { fetched, results } = await run(path, order);
    expect(fetched).toEqual([]);
    for (const { url, body } of results) {
      const index = Number(url.split('/').at(-1));
      expect(body).toEqual({ bytes: index, text: text(index) });
    }
  }
});

describe('a damaged journal', () => {
  const URLS = ['a', 'b', 'b'].map((name) => `https://example.com/${name}`);

  /** A journal of these URLs: its path and its content. */
  async function aJournal(urls: readonly string[] = URLS): Promise<{ path: string; bytes: Buffer }> {
    const path = join(await tempDir(), 'run.journal');
    await run(path, urls);
    return { path, bytes: await readFile(path) };
  }

  test('a journal that ends anywhere is whole after the next run', async () => {
    const { path, bytes } = await aJournal();
    const header = bytes.indexOf('\n') + 1;
    const step = (length: number) => (length < header + 2 ? 3 : 41);
    for (let length = 0; length <= bytes.length; length += step(length)) {
      const cut = bytes.subarray(0, length);
      const whole = Math.max(0, cut.toString('latin1').split('\n').length - 2);
      await writeFile(path, cut);
      const { records, fetched, warnings } = await run(path, URLS);
      expect([length, records, fetched, warnings]).toEqual([length, whole, URLS.slice(whole), []]);
      const repaired = await readFile(path);
      expect(repaired.length).toBe(bytes.length);
      if (length >= header) expect(repaired).toEqual(bytes); // a new header has a new seed
      expect((await run(path, URLS)).fetched).toEqual([]);
    }
  });

  test('a damaged line is reported with its number, and its URL is fetched again', async () => {
    const { path, bytes } = await aJournal();
    const text = bytes.toString();
    await writeFile(path, text.replace('"index":1', '"index":3'));
    const { fetched, warnings } = await run(path, URLS);
    expect(fetched).toEqual([URLS[1]]);
    expect(warnings).toEqual([
      `cannot use all of the journal ${JSON.stringify(path)}: line 3 is damaged, its URL is fetched again`,
    ]);
    expect(await readFile(path, 'utf8')).toContain('"index":3'); // only an unfinished last line is removed
  });

  test('any byte may be wrong: no other record is lost, and no wrong record is used', async () => {
    const { path, bytes } = await aJournal();
    const random = seededRandom(4);
    const header = bytes.indexOf('\n') + 1;
    for (let round = 0; round < 100; round++) {
      const damaged = Buffer.from(bytes);
      const at = header + Math.floor(random() * (bytes.length - header));
      damaged[at] = (damaged[at] ?? 0) ^ (1 + Math.floor(random() * 255));
      await writeFile(path, damaged);
      const { fetched, results } = await run(path, URLS, { keepFailed: true });
      // Without its newline a line damages the next one as well; a newline in the middle splits a line.
      expect(fetched.length, `byte ${at}`).toBeGreaterThan(0);
      expect(fetched.length, `byte ${at}`).toBeLessThanOrEqual(bytes[at] === 0x0a ? 2 : 1);
      expect(results.map(({ url, index, bytes }) => [url, index, bytes])).toEqual(
        URLS.map((url, index) => [url, index, 1234]),
      );
    }
  });

  const DAMAGES: Readonly<Record<string, (bytes: Buffer, random: () => number) => Buffer>> = {
    'one byte is changed': (bytes, random) => {
      const damaged = Buffer.from(bytes);
      const at = Math.floor(random() * bytes.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 + Math.floor(random() * 255));
      return damaged;
    },
    'it is cut': (bytes, random) => bytes.subarray(0, Math.floor(random() * bytes.length)),
    'its start is cut off': (bytes, random) => bytes.subarray(1 + Math.floor(random() * (bytes.length - 1))),
    'a part is missing': (bytes, random) => {
      const at = Math.floor(random() * bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + Math.floor(random() * 300))]);
    },
    'a part is there twice': (bytes, random) => {
      const at = Math.floor(random() * bytes.length);
      const part = bytes.subarray(at, at + 1 + Math.floor(random() * 600));
      return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
    },
    'bytes are inserted': (bytes, random) => {
      const at = Math.floor(random() * bytes.length);
      const more = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 50) }, () => random() * 256));
      return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
    },
    'newlines are lost': (bytes, random) =>
      Buffer.from(bytes.map((byte) => (byte === 0x0a && random() < 0.3 ? 0x20 : byte))),
  };

  test.each(Object.entries(DAMAGES))(
    'when %s anywhere, it is refused unchanged, or each URL has its own result',
    async (_, damage) => {
      const { path, bytes } = await aJournal();
      const header = bytes.indexOf('\n') + 1;
      const random = seededRandom(7);
      for (let round = 0; round < 60; round++) {
        const damaged = damage(bytes, random);
        await writeFile(path, damaged);
        const outcome = await run(path, URLS, { keepFailed: true }).catch((error: unknown) => error);
        if (outcome instanceof UsageError) {
          expect(outcome.message).toMatch(/first line is damaged|something else|another version/);
          expect(await readFile(path)).toEqual(damaged);
          continue;
        }
        expect(outcome).not.toBeInstanceOf(Error);
        const { fetched, results, warnings } = outcome as Awaited<ReturnType<typeof run>>; // it is no error
        expect(results.map(({ url, index, bytes }) => [url, index, bytes])).toEqual(
          URLS.map((url, index) => [url, index, 1234]),
        );
        // What is not whole at the end was being written. A new header means that nothing else was there.
        const isWhole = damaged.length === bytes.length && damaged.at(-1) === 0x0a && damaged.length > header;
        if (isWhole && fetched.length > 0) expect(warnings.length).toBeGreaterThan(0);
      }
    },
  );

  test('blocks of zeros, as after a power cut, damage only the lines that contain them', async () => {
    const { path, bytes } = await aJournal();
    const lines = bytes.toString().split(/(?<=\n)/);
    await writeFile(
      path,
      [lines[0], lines[1], '\0'.repeat(5000), lines[2], lines[3], '\0'.repeat(9000)].join(''),
    );
    const { fetched, warnings } = await run(path, URLS);
    expect(fetched).toEqual([URLS[1]]);
    expect(warnings).toHaveLength(1);
    expect((await readFile(path)).subarray(-100)).not.toContain(0);
  });

  test('the first damaged lines are reported by number, and the rest are counted', async () => {
    const urls = Array.from({ length: 40 }, (_, index) => `https://example.com/${index}`);
    const { path, bytes } = await aJournal(urls);
    await writeFile(path, bytes.toString().replaceAll('"ok":1', '"ok":0'));
    const { fetched, warnings } = await run(path, urls);
    expect(fetched).toHaveLength(40);
    expect(warnings).toHaveLength(6);
    expect(warnings[4]).toMatch(/: line 6 is damaged, its URL is fetched again$/);
    expect(warnings[5]).toMatch(/: and 35 more damaged lines$/);
  });

  test('a URL whose record is damaged after the journal was opened is fetched again', async () => {
    const { path, bytes } = await aJournal();
    const journal = await Journal.open(path, journalOptions());
    await writeFile(path, bytes.toString().replace('"status":200', '"status":xxx'));
    const recalled = URLS.map((url, index) => journal.recall(job(index, url), GET)?.index);
    await journal.end();
    expect(recalled).toEqual([undefined, 1, 2]);
  });
});

describe('Journal.open()', () => {
  const isRoot = process.getuid?.() === 0;

  async function refusal(path: string): Promise<string> {
    const error = await Journal.open(path, journalOptions()).then(
      () => 'opened',
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UsageError);
    return error instanceof UsageError ? error.message : '';
  }

  test.each([
    ['a list of URLs', 'https://example.com/1\nhttps://example.com/2\n'],
    ['results', '{"v":1,"index":0,"source":"urls.txt"}\n'],
    ['a short text', 'hello'],
    ['zeros', '\0'.repeat(100)],
    ['the journal of another program', '{"fanout":"journals","v":1,"seed":"0123456789abcdef"}\n'],
    ['a journal with a damaged first line', '{"fanout":"journal","w":1,"seed":"0123456789abcdef"}\n'],
  ])('refuses %s, and does not change it', async (_, text) => {
    const dir = await tempDir();
    const path = join(dir, 'list.txt');
    await writeFile(path, text);
    expect(await refusal(path)).toBe(
      `cannot use ${JSON.stringify(path)} as the journal: it holds something else; name a journal of an earlier run, or a new file`,
    );
    expect(await readFile(path, 'utf8')).toBe(text);
    expect(await readdir(dir)).toEqual(['list.txt']);
  });

  test('refuses the journal of a later version by name', async () => {
    const path = join(await tempDir(), 'journal');
    await writeFile(path, '{"fanout":"journal","v":3,"seed":"0123456789abcdef"}\n');
    expect(await refusal(path)).toMatch(/another version of fanout has made it/);
  });

  test('turns an empty file into a journal', async () => {
    const path = join(await tempDir(), 'journal');
    await writeFile(path, '');
    await run(path, ['https://example.com/']);
    expect((await run(path, ['https://example.com/'])).fetched).toEqual([]);
  });

  test('refuses a directory', async () => {
    const path = join(await tempDir(), 'journal');
    await mkdir(path);
    expect(await refusal(path)).toMatch(/it is not a regular file; name a journal/);
  });

  test('refuses a device', async () => {
    expect(await refusal('/dev/null')).toMatch(/it is not a regular file/);
  });

  test('refuses a pipe, and does not wait for it', async () => {
    const path = join(await tempDir(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(await refusal(path)).toMatch(/it is not a regular file/);
  });

  test('refuses a link to a file that does not exist, and does not create it', async () => {
    const dir = await tempDir();
    await symlink(join(dir, 'none'), join(dir, 'journal'));
    expect(await refusal(join(dir, 'journal'))).toMatch(
      /: it is a symbolic link to a file that does not exist;/,
    );
    expect(await readdir(dir)).toEqual(['journal']);
  });

  test('refuses a journal that is too large for its index, and does not change it', async () => {
    const path = await newPath();
    await run(path, [A]);
    const size = 128 * 1024 ** 3 + 1;
    await truncate(path, size); // takes no room on the disk
    expect(await refusal(path)).toBe(
      `cannot use ${JSON.stringify(path)} as the journal: it has over 128 GiB; start a new one`,
    );
    expect((await stat(path)).size).toBe(size);
  });

  test('takes a journal of several MB, and removes what is not finished at its end', async () => {
    const path = await newPath();
    await run(path, [A]);
    const { size } = await stat(path);
    await truncate(path, size + 9 * 1024 ** 2);
    expect((await run(path, [A])).fetched).toEqual([]);
    expect((await stat(path)).size).toBe(size);
  });

  test('names a directory that does not exist', async () => {
    const path = join(await tempDir(), 'none', 'journal');
    expect(await refusal(path)).toMatch(
      /none\/journal" as the journal: no such file or directory; name a journal/,
    );
  });

  test.skipIf(isRoot)('refuses a file that is not writable', async () => {
    const path = join(await tempDir(), 'journal');
    await writeFile(path, '');
    await chmod(path, 0o400);
    expect(await refusal(path)).toMatch(/permission denied/);
  });

  test.skipIf(isRoot)(
    'refuses a journal in a directory that is not writable, which cannot contain the lock',
    async () => {
      const dir = await tempDir();
      const path = join(dir, 'journal');
      await writeFile(path, '');
      await chmod(dir, 0o500);
      expect(await refusal(path)).toMatch(/^cannot lock ".*journal.lock": permission denied$/);
      await chmod(dir, 0o700);
    },
  );

  test('gives a new journal to one of several runs that start at once', async () => {
    const path = await newPath();
    const opened = await Promise.allSettled(
      Array.from({ length: 8 }, () => Journal.open(path, journalOptions())),
    );
    const reasons = opened.flatMap((outcome) =>
      outcome.status === 'rejected' ? [String(outcome.reason)] : [],
    );
    expect(reasons).toEqual(Array(7).fill(expect.stringContaining('is using it')));
    for (const outcome of opened) if (outcome.status === 'fulfilled') await outcome.value.end();
  });

  test('locks a journal under all its names', async () => {
    const dir = await tempDir();
    const path = join(dir, 'journal');
    await writeFile(path, '');
    await symlink(path, join(dir, 'alias'));
    const journal = await Journal.open(path, journalOptions());
    expect(await refusal(join(dir, 'alias'))).toContain(`the run with pid ${process.pid} on `);
    await journal.end();
  });

  test('ends with an error when another run has taken over its lock', async () => {
    const path = join(await tempDir(), 'journal');
    const journal = await Journal.open(path, journalOptions({ beatMs: 5 }));
    await rm(`${path}.lock`, { recursive: true });
    for (let index = 0; index < 2; index += 1)
      journal.recall(job(index, `https://example.com/${index}`), GET);
    const message = `cannot write to "${path}": another run has taken over the journal`;
    const write = () => journal.write(succeed(job(0, 'https://example.com/0')));
    await vi.waitFor(
      () => {
        journal.recall(job(0, 'https://example.com/0'), GET);
        expect(write).toThrow(message);
      },
      { timeout: 60_000, interval: 5 },
    );
    await expect(journal.end()).rejects.toThrow(message);
  }, 90_000);

  test('leaves a journal unlocked after a run, and after a run that was refused', async () => {
    const dir = await tempDir();
    const path = join(dir, 'journal');
    const journal = await Journal.open(path, journalOptions());
    expect(await refusal(path)).toMatch(
      /is using it; wait until it has ended, or remove ".*journal.lock" if it has$/,
    );
    await journal.end();
    await run(path, []);
    expect(await readdir(dir)).toEqual(['journal']);
  });
});
