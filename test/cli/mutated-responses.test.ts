import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { decodeRecord } from '../../src/model/record.ts';
import { type MutatedAnswer, mutatedAnswer } from '../origin/mutated-answer.ts';
import { type RawServer, startRawServer } from '../origin/raw-server.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';

const URLS = Number(process.env.FUZZ_URLS ?? 2_000);
/** Two URLs each: the second may use the connection of the first, and a host that is limited holds up one URL. */
const HOSTS = Math.ceil(URLS / 2);
const LIMIT_MS = 60_000 + 60 * URLS;
const MB = 1024 * 1024;

/** `FUZZ_SEEDS=1,2,3` tries other seeds, `FUZZ_URLS=20000` more responses for each. */
const SEEDS = (process.env.FUZZ_SEEDS ?? '1').split(',').map(Number);

/** Flags that make the program process responses in different ways. */
const WAYS: Readonly<Record<string, (directory: string) => readonly string[]>> = {
  'bodies are dropped': () => [],
  'bodies are searched': () => ['--contains', 'fanout', '--matches', '\\d+', '--not-contains', 'nobody'],
  'bodies go into records': () => ['--inline-body', '1kb', '--max-size', '10kb'],
  'bodies are saved and resumed': (directory) => ['--save-dir', directory, '--save-all', '--resume-partial'],
  'attempts are repeated': () => ['--retries', '1', '--retry-on', '404,5xx,network', '--ordered'],
};

// Every name resolves to this server, whatever a mutation does to a Location, so nothing else gets a request.
const COMMON = ['-c', '48', '--breaker', '0', '--retries', '0', '--timeout', '600ms', '--max-retry-after', '10ms', '--dns-server', '127.0.0.1:9', '--format', 'jsonl', '--summary', 'json', '--no-progress']; // biome-ignore format: a list

function send(socket: Socket, { pieces, end }: MutatedAnswer): void {
  const [first = Buffer.alloc(0), ...rest] = pieces;
  socket.write(first);
  if (rest.length > 0) setImmediate(send, socket, { pieces: rest, end });
  else if (end === 'fin') socket.end();
  else if (end === 'rst') socket.resetAndDestroy();
}

async function fuzzer(seed: number): Promise<RawServer> {
  const random = seededRandom(seed);
  const server = await startRawServer({ onRequest: ({ socket }) => send(socket, mutatedAnswer(random)) });
  onTestFinished(() => server.close());
  return server;
}

/** The peak memory of a process so far; `undefined` where the system does not report it. */
async function peakBytes(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

const cases = SEEDS.flatMap((seed) => Object.entries(WAYS).map(([way, flags]) => ({ seed, way, flags })));

test.each(cases)(
  'a server that sends anything fails only its own URLs: each has one result when $way (seed $seed)',
  async ({ seed, flags }) => {
    const server = await fuzzer(seed);
    const list = Array.from(
      { length: URLS },
      (_, index) => `http://h${index % HOSTS}.test:${server.port}/${index}\n`,
    );
    const args = [
      'fetch',
      '-',
      ...COMMON,
      '--resolve',
      `*:${server.port}:127.0.0.1`,
      ...flags(await tempDir()),
    ];
    const { child, done } = startCli(args, {
      stdin: list.join(''),
      killAfterMs: LIMIT_MS,
      nodeFlags: ['--trace-warnings'],
    });
    const peakAt = (requests: number) =>
      Promise.race([done, server.requests.reached(requests)]).then(() => peakBytes(child.pid));
    const before = await peakAt(URLS / 4);
    const after = await peakAt(URLS - 100);
    const { code, stdout, stderr } = await done;

    expect(code).toBe(1);
    const records = stdout.split('\n').slice(0, -1).map(decodeRecord);
    expect(records.filter((record) => 'broken' in record)).toEqual([]);
    const indexes = records.flatMap((record) => ('broken' in record ? [] : [record.index]));
    expect(indexes.sort((a, b) => a - b)).toEqual(Array.from({ length: URLS }, (_, index) => index));
    expect(records.filter((record) => 'failure' in record && record.failure?.kind === 'internal')).toEqual(
      [],
    );
    // Standard error has only the summary: no warning and no stack trace.
    const summary = JSON.parse(stderr);
    expect(summary).toMatchObject({ read: URLS, skipped: 0, notFetched: 0 });
    expect(summary.ok).toBeGreaterThan(0);
    expect(summary.failed).toBeGreaterThan(0);
    if (before !== undefined && after !== undefined) expect((after - before) / MB).toBeLessThan(100);
  },
  LIMIT_MS + 5_000,
);
