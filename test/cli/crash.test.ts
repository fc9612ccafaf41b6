import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { runOnSmallDisk } from '../origin/small-disk.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { aFile } from './an-origin.ts';

const URLS = 600;

/** The body of a path: a few kB that no other path has. */
function bodyOf(path: string): Buffer {
  const line = Buffer.from(`${path} is what this is\n`);
  return Buffer.concat(Array.from({ length: 20 + (path.length % 7) * 40 }, () => line));
}

/** An origin that counts the requests for each path, and can call back after a number of requests. */
async function aCounter() {
  const hits = new Map<string, number>();
  let total = 0;
  let alarm: { at: number; ring: () => void } | undefined;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    hits.set(path, (hits.get(path) ?? 0) + 1);
    total += 1;
    response.end(bodyOf(path));
    if (alarm !== undefined && total >= alarm.at) {
      alarm.ring();
      alarm = undefined;
    }
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return {
    url: `http://${listening.authority}`,
    hits,
    /** Calls `ring` after `more` further requests. */
    after(more: number, ring: () => void): void {
      alarm = { at: total + more, ring };
    },
  };
}

interface Job {
  readonly args: readonly string[];
  readonly urls: readonly string[];
  readonly output: string;
  readonly directory: string;
}

async function aJob(origin: string): Promise<Job> {
  const root = await tempDir();
  const urls = Array.from(
    { length: URLS },
    (_, index) => `${origin}/${'d'.repeat(1 + (index % 5))}/${index}.txt`,
  );
  const list = await aFile(urls);
  const [output, directory, journal] = ['out.jsonl', 'bodies', 'journal'].map((name) => join(root, name));
  const flags = [
    '-c',
    '8',
    '--json',
    '-o',
    `${output}`,
    '--save-dir',
    `${directory}`,
    '--journal',
    `${journal}`,
  ];
  return { args: ['fetch', ...flags, list], urls, output: `${output}`, directory: `${directory}` };
}

/** Checks that every URL has one record and a whole file, and that there are no other files. */
async function expectAllWhole({ urls, output, directory }: Job): Promise<void> {
  const records = (await readFile(output, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(records.map(({ url }) => url).sort()).toEqual(urls.toSorted());
  for (const { url, body } of records) {
    const bytes = await readFile(join(directory, body.path));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(body.sha256);
    expect(bytes.equals(bodyOf(new URL(url).pathname))).toBe(true);
  }
  expect(await filesIn(directory)).toEqual(records.map(({ body }) => body.path).sort());
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

/**
 * Checks that each file with a final name is whole: incomplete files end in `.part`. `checked` maps each whole file to its version,
 * so that it is not read again.
 */
async function expectNothingPartial(
  directory: string,
  checked: Map<string, string> = new Map(),
): Promise<void> {
  for (const path of await filesIn(directory).catch(() => [])) {
    if (/\.part/.test(path)) continue;
    const { ino, size, mtimeMs } = await stat(join(directory, path));
    const version = `${ino}:${size}:${mtimeMs}`;
    if (checked.get(path) === version) continue;
    const text = await readFile(join(directory, path), 'utf8');
    const [requested = ''] = text.split(' ');
    expect(text).toBe(bodyOf(requested).toString());
    checked.set(path, version);
  }
}

describe('a run that is ended repeatedly', () => {
  it.each([
    ['SIGKILL', 50],
    ['SIGTERM', 10],
  ] as const)(
    'by %s, %i times, loses no URL and leaves no partial file',
    async (signal, times) => {
      const random = seededRandom(times);
      const origin = await aCounter();
      const job = await aJob(origin.url);
      const checked = new Map<string, string>();
      let kills = 0;
      for (; kills < times; kills += 1) {
        const run = startCli(job.args);
        origin.after(1 + Math.floor(random() * 20), () => run.child.kill(signal));
        await run.done;
        await expectNothingPartial(job.directory, checked);
      }
      const { code } = await runCli(job.args);
      expect(code).toBe(0);
      await expectAllWhole(job);
      expect(Math.max(...origin.hits.values())).toBeLessThanOrEqual(kills + 1);
      expect(origin.hits.size).toBe(URLS);
    },
    120_000,
  );

  it('by a reader that closes the pipe, continues where it stopped', async () => {
    const origin = await aCounter();
    const job = await aJob(origin.url);
    const toPipe = job.args.toSpliced(job.args.indexOf('-o'), 2);
    for (let times = 0; times < 5; times += 1) {
      const run = startCli(toPipe);
      origin.after(60, () => run.child.stdout?.destroy());
      const [code] = await once(run.child, 'exit');
      expect(code).toBe(0);
    }
    expect((await runCli(job.args)).code).toBe(0);
    await expectAllWhole(job);
  }, 120_000);

  it('by a full disk, ends with 3, and continues where it stopped once there is room', async () => {
    const origin = await aCounter();
    const job = await aJob(origin.url);
    const root = join(job.directory, '..');
    const copy = await tempDir();
    const { code } = await runOnSmallDisk(root, job.args, {
      kilobytes: 2048,
      after: `cp -R . '${copy}'`,
    });
    expect(code).toBe(3);
    await expectNothingPartial(join(copy, 'bodies'));
    await cp(copy, root, { recursive: true });
    const resumed = await runCli(job.args);
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringMatching(/[1-9]\d+ from the journal/)]);
    await expectAllWhole(job);
    expect(Math.max(...origin.hits.values())).toBeLessThanOrEqual(2);
  }, 120_000);
});
