import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  decodeRecord,
  encodeRecord,
  type FanoutOptions,
  fanout,
  InputError,
  type Result,
  type Summary,
  UsageError,
} from '../../src/index.ts';
import { anOrigin, urls } from '../cli/an-origin.ts';
import { tempDir } from '../origin/temp-dir.ts';

type Items = Parameters<typeof fanout>[0];

/** The results of a run, and the summary that its generator returns. */
async function runAll(items: Items, options?: FanoutOptions, run = fanout) {
  const results: Result[] = [];
  const generator = run(items, options);
  for (;;) {
    const next = await generator.next();
    if (next.done === true) return { results, summary: next.value };
    results.push(next.value);
  }
}

/** The library as it is built: only there is the file that a thread runs. */
async function builtFanout(): Promise<typeof fanout> {
  const file = new URL('../../dist/index.js', import.meta.url).href;
  return (await import(file)).fanout;
}

describe('record', () => {
  it('headers: a result has the headers of its response, also of a failure', async () => {
    const origin = await anOrigin();
    const list = [
      `${origin.url}/headers?x-one=1&set-cookie=a%3D1&set-cookie=b%3D2`,
      `${origin.url}/status/404`,
    ];
    const { results } = await runAll(list, { record: ['headers'], ordered: true });
    expect(results[0]?.headers).toMatchObject({ 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] });
    expect([results[1]?.status, typeof results[1]?.headers?.date]).toEqual([404, 'string']);
    const [first] = results;
    if (first !== undefined)
      expect(decodeRecord(encodeRecord(first))).toMatchObject({ headers: first.headers });
  });

  it('input: a result has the URL as it was given', async () => {
    const origin = await anOrigin();
    const { results } = await runAll([`${origin.url}/ok?a b`], { record: 'input' });
    expect(results[0]).toMatchObject({ url: `${origin.url}/ok?a%20b`, input: `${origin.url}/ok?a b` });
  });

  it('is nothing by default', async () => {
    const origin = await anOrigin();
    const { results } = await runAll([`${origin.url}/ok`]);
    expect([results[0]?.headers, results[0]?.body]).toEqual([undefined, undefined]);
  });
});

describe('body: buffer', () => {
  it('a result has its body, also that of a failure, and its record does not', async () => {
    const origin = await anOrigin();
    const list = [`${origin.url}/ok`, `${origin.url}/status/404`];
    const { results } = await runAll(list, { body: 'buffer', ordered: true });
    expect(results[0]?.body).toEqual({ bytes: 3, buffer: Buffer.from('ok\n') });
    expect(results[1]?.body?.buffer).toBeInstanceOf(Buffer);
    const [first] = results;
    if (first !== undefined) expect(JSON.parse(encodeRecord(first)).body).toEqual({ bytes: 3 });
  });

  it('leaves out a body above maxSize', async () => {
    const origin = await anOrigin();
    const { results } = await runAll([`${origin.url}/bytes/5000`], { body: 'buffer', maxSize: 1000 });
    expect(results[0]).toMatchObject({ truncated: true, bytes: 1000 });
    expect(results[0]?.body).toBeUndefined();
  });

  it('works beside saveDir', async () => {
    const origin = await anOrigin();
    const saveDir = await tempDir();
    const { results } = await runAll([`${origin.url}/ok`], { body: 'buffer', saveDir, saveAs: '{index}' });
    expect(results[0]?.body).toMatchObject({ path: '0', bytes: 3, buffer: Buffer.from('ok\n') });
    expect(await readFile(join(saveDir, '0'), 'utf8')).toBe('ok\n');
  });
});

describe('body: stream', () => {
  const options = { body: 'stream', retries: 0, ordered: true } as const;

  it.each([1, 2])(
    'a result has a stream of its body, also that of a failure, with %d threads',
    async (threads) => {
      const origin = await anOrigin();
      const list = [`${origin.url}/ok`, `${origin.url}/status/404`, `${origin.url}/bytes/200000`, 'nonsense'];
      const texts: (string | undefined)[] = [];
      for await (const result of (await builtFanout())(list, { ...options, threads })) {
        const { stream, path } = result.body ?? {};
        texts.push(stream === undefined ? undefined : await text(stream));
        expect([path, JSON.parse(encodeRecord(result)).body?.stream]).toEqual([undefined, undefined]);
      }
      const body = await (await fetch(list[2] ?? '')).text();
      expect(texts).toEqual(['ok\n', expect.any(String), body, undefined]);
    },
  );

  it('a stream that nobody has begun to read is closed at the next result; others can be read to their end', async () => {
    const origin = await anOrigin();
    const streams: Readable[] = [];
    let reading: Promise<string> | undefined;
    for await (const { body } of fanout(urls(origin, '/bytes/200000', 3), options)) {
      if (body?.stream === undefined) throw new Error('no stream');
      streams.push(body.stream);
      if (streams.length === 2) reading = text(body.stream);
    }
    expect(streams.map(({ destroyed }, index) => index === 1 || destroyed)).toEqual([true, true, true]);
    expect((await reading)?.length).toBe(200_000);
  });

  it.each<[string, FanoutOptions]>([
    ['the loop is left', {}],
    ['the journal cannot be opened', { journal: '/' }],
  ])('leaves no file behind if %s', async (_, more) => {
    const origin = await anOrigin();
    const directory = await tempDir();
    vi.stubEnv('TMPDIR', directory);
    onTestFinished(() => void vi.unstubAllEnvs());
    try {
      for await (const result of fanout(urls(origin, '/ok', 3), { ...options, ...more })) {
        expect(await readdir(directory)).toHaveLength(1);
        if (result.index === 1) break;
      }
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
    }
    expect(await readdir(directory)).toEqual([]);
  });

  it('has no limit by default; a body over maxSize fails', async () => {
    const origin = await anOrigin();
    const list = [`${origin.url}/bytes/11000000`];
    const { results } = await runAll(list, options);
    expect(results[0]).toMatchObject({ ok: true, body: { bytes: 11_000_000 } });
    const limited = await runAll(list, { ...options, maxSize: '1mb' });
    expect(limited.results[0]).toMatchObject({ ok: false, failure: { kind: 'size' } });
  });
});

describe('index', () => {
  it.each([
    [false, 1],
    [true, 1],
    [true, 2],
  ])(
    'is the place of the item in the list, also after items without a result; ordered: %s, threads: %d',
    async (ordered, threads) => {
      const origin = await anOrigin();
      const list: string[] = ['# pages'];
      for (const url of urls(origin, '/ok', 40)) list.push(url, url, '', 'mailto:me@a.example');
      const options = { unique: true, ordered, threads, concurrency: 4, queueSize: 16 };
      const run = threads > 1 ? await builtFanout() : fanout;
      const { results } = await runAll(list, options, run);
      expect(results).toHaveLength(40);
      expect(results.every(({ index, url }) => list[index] === url)).toBe(true);
      expect(results.every(({ index, line }) => line === index + 1)).toBe(true);
      if (ordered)
        expect(results.map(({ index }) => index)).toEqual([...Array(40).keys()].map((n) => 1 + 4 * n));
    },
  );
});

describe('a wrong option', () => {
  it.each([
    [{ signal: 'x' }, 'invalid value for option signal: must be an AbortSignal'],
    [{ signal: new AbortController() }, 'invalid value for option signal: must be an AbortSignal'],
    [{ onWarning: 'x' }, 'invalid value for option onWarning: must be a function'],
    [
      { proxyEnvironment: 5 },
      'invalid value for option proxyEnvironment: must be an object of variables, such as process.env',
    ],
    [null, 'invalid value for the options: must be an object, such as { concurrency: 8 }, not null'],
    ['x', 'invalid value for the options: must be an object, such as { concurrency: 8 }, not a string'],
    [new Map(), 'invalid value for the options: must be an object, such as { concurrency: 8 }, not a Map'],
    [
      { timeout: 5000 },
      'invalid value 5000 for option timeout: must have a unit: "5000s" for seconds, or "5000ms"',
    ],
    [{ saveAs: '{host}' }, 'option saveAs needs option saveDir'],
    [{ keepFailed: true }, 'option keepFailed needs option journal'],
    [{ nope: 1 }, 'unknown option nope'],
  ])('%j is refused by the call itself', (options, message) => {
    // What JavaScript may pass.
    expect(() => fanout(['http://127.0.0.1:9/'], options as FanoutOptions)).toThrow(new UsageError(message));
  });
});

describe('baseline', () => {
  it('marks known, new and fixed results, and known failures do not end a run with failFast', async () => {
    const origin = await anOrigin();
    const [known, fixed, fresh] = ['/status/404', '/ok', '/status/500'].map((path) => origin.url + path);
    const baseline = join(await tempDir(), 'known.txt');
    await writeFile(baseline, `${known}\n${fixed}\n`);
    const options = { baseline, failFast: true, ordered: true, concurrency: 1, retries: 0 };
    const { results, summary } = await runAll(
      [known ?? '', fixed ?? '', fresh ?? '', `${origin.url}/ok?1`],
      options,
    );
    expect(results.map((result) => result.baseline)).toEqual(['known', 'fixed', 'new', undefined]);
    expect(results[3]).toMatchObject({ ok: false, attempts: 0, failure: { kind: 'aborted' } });
    expect(summary).toMatchObject({ known: 1, fixed: 1, new: 1, notFetched: 1 });
  });

  it('reads results that encodeRecord() wrote', async () => {
    const origin = await anOrigin();
    const list = [`${origin.url}/status/404`, `${origin.url}/ok`];
    const { results } = await runAll(list);
    const baseline = join(await tempDir(), 'known.jsonl');
    await writeFile(baseline, results.map((result) => `${encodeRecord(result)}\n`).join(''));
    const again = await runAll(list, { baseline, ordered: true });
    expect(again.results.map((result) => result.baseline)).toEqual(['known', undefined]);
  });

  it('that cannot be read is an InputError', async () => {
    const error = await runAll(['http://127.0.0.1:9/'], { baseline: '/nowhere' }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toEqual(new InputError('cannot read option baseline "/nowhere": no such file'));
  });
});

describe('ordered', () => {
  it('gives the results in the order of the list', async () => {
    const origin = await anOrigin();
    const list = [`${origin.url}/gate/a`, ...urls(origin, '/ok', 20)];
    const running = runAll(list, { ordered: true, concurrency: 4 });
    await origin.received(21);
    origin.open('a');
    expect((await running).results.map(({ index }) => index)).toEqual([...Array(21).keys()]);
  });
});

describe('threads', () => {
  it('fetch, with headers, buffers and order', async () => {
    const origins = await Promise.all([anOrigin(), anOrigin(), anOrigin()]);
    const list = origins.flatMap((origin) => urls(origin, '/ok', 10));
    const options = { threads: 2, ordered: true, body: 'buffer', record: 'headers' } as const;
    const { results, summary } = await runAll(list, options, await builtFanout());
    expect(results.map(({ url }) => url)).toEqual(list);
    expect(results.every(({ body }) => body?.buffer instanceof Buffer && `${body.buffer}` === 'ok\n')).toBe(
      true,
    );
    expect(results.every(({ headers }) => typeof headers?.date === 'string')).toBe(true);
    expect(summary).toMatchObject({ read: 30, ok: 30 });
  });
});

describe('journal', () => {
  it('a second run takes what the first one finished, and fetches the rest and the failures', async () => {
    const origin = await anOrigin();
    const list = [...urls(origin, '/ok', 10), `${origin.url}/status/404`];
    const options = { journal: join(await tempDir(), 'j'), concurrency: 1, ordered: true };
    let taken = 0;
    for await (const _ of fanout(list, options)) {
      taken += 1;
      if (taken === 5) break;
    }
    const { results, summary } = await runAll(list, options);
    expect(results.map(({ isResumed }) => isResumed === true)).toEqual([
      ...Array(4).fill(true),
      ...Array(7).fill(false),
    ]);
    expect(summary).toMatchObject({ read: 11, ok: 10, failed: 1, resumed: 4 });
    const again = await runAll(list, options);
    expect(again.summary).toMatchObject({ resumed: 10 });
    const kept = await runAll(list, { ...options, keepFailed: true });
    expect(kept.summary).toMatchObject({ resumed: 11 });
  });

  it('that another run uses is an error of the loop', async () => {
    const origin = await anOrigin();
    const options = { journal: join(await tempDir(), 'j') };
    const first = fanout([`${origin.url}/ok`], options);
    await first.next();
    await expect(runAll([], options)).rejects.toThrow(/journal/);
    expect((await first.next()).done).toBe(true);
    expect((await runAll([], options)).summary.read).toBe(0);
  });

  it('fetches a URL again whose saved body was removed', async () => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const options = { journal: join(directory, 'j'), saveDir: join(directory, 'd'), saveAs: '{index}' };
    const list = urls(origin, '/ok', 2);
    await runAll(list, options);
    await rm(join(directory, 'd', '1'));
    expect((await runAll(list, options)).summary).toMatchObject({ ok: 2, resumed: 1 });
  });
});

describe('the summary', () => {
  it('is what the generator returns', async () => {
    const origin = await anOrigin();
    const [same = ''] = urls(origin, '/ok', 1);
    const list = [same, same, `${origin.url}/status/404`, 'nonsense'];
    const { summary } = await runAll(list, { unique: true });
    expect(summary).toMatchObject({
      ...{ read: 4, ok: 1, failed: 2, skipped: 1, notFetched: 0, isListComplete: true },
      failuresByStatus: { 404: 1 },
    } satisfies Partial<Summary>);
  });

  it.each([true, false])('counts what a stopped run did not fetch, ordered: %s', async (ordered) => {
    const origin = await anOrigin();
    const list = [`${origin.url}/status/404`, ...urls(origin, '/ok', 200)];
    const { results, summary } = await runAll(list, { ordered, concurrency: 1, failFast: true });
    const notFetched = results.filter(({ attempts }) => attempts === 0);
    expect(notFetched.length).toBeGreaterThan(0);
    expect(notFetched.every(({ failure }) => failure?.kind === 'aborted')).toBe(true);
    expect(summary).toMatchObject({ failed: 1, notFetched: notFetched.length, read: results.length });
    expect(new Set(results.map(({ index }) => index)).size).toBe(results.length);
  });

  it('says that the list was not read to its end', async () => {
    const origin = await anOrigin();
    function* endless() {
      yield `${origin.url}/status/404`;
      for (let n = 0; ; n++) yield `${origin.url}/ok?n=${n}`;
    }
    const { summary } = await runAll(endless(), { concurrency: 1, failFast: true, queueSize: 8 });
    expect(summary).toMatchObject({ failed: 1, isListComplete: false });
  });
});

it('onWarning receives what concerns the whole run', async () => {
  const origin = await anOrigin();
  const journal = join(await tempDir(), 'j');
  await runAll(urls(origin, '/ok', 3), { journal });
  const text = await readFile(journal, 'utf8');
  await writeFile(journal, text.replace('"ok":true', '"ok":tru!'));
  const warnings: string[] = [];
  await runAll(urls(origin, '/ok', 3), { journal, onWarning: (message) => warnings.push(message) });
  expect(warnings).toEqual([expect.stringContaining('journal')]);
});
