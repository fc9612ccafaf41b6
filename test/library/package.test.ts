import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anOrigin } from '../cli/an-origin.ts';
import { linksOf } from '../docs/links.ts';
import { install, type Packed, pack, ROOT } from './install.ts';

const run = promisify(execFile);
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

const CONSUMER = `
import { decodeRecord, encodeRecord, fanout, UsageError, WorkerPool } from 'fanout';
import type { FanoutOptions, JobInput, Result, Summary } from 'fanout';

const options: FanoutOptions = { concurrency: 4, timeout: '5s', signal: new AbortController().signal };
const job: JobInput = { url: process.argv[2] ?? '', id: 'one' };
const taken: Result[] = [];
for await (const result of fanout([job], { ...options, headers: { a: 'b' }, record: 'headers', body: 'buffer' })) {
  taken.push(result);
  if (!result.ok) console.log(result.failure.kind satisfies string);
  console.log(result.headers?.['content-length'], result.body?.buffer?.length satisfies number | undefined);
}
async function* counted(): AsyncGenerator<Result, void, void> {
  const summary: Summary = yield* fanout([job], options);
  console.log(summary.read, summary.ok);
}
for await (const result of counted()) console.log(decodeRecord(encodeRecord(result)));
const pool = new WorkerPool({ concurrency: 2, work: (n: number) => n * 2 });
for await (const done of pool.map([1])) if (done.ok) console.log(done.value satisfies number);
console.log((await pool.run(2)) satisfies number);
// @ts-expect-error: the types know the options
try { fanout([], { concurency: 1 }); } catch (error) { console.log(error instanceof UsageError); }
console.log(taken.map((result) => JSON.parse(encodeRecord(result)).id).join());
`;

/** The strictest settings of TypeScript; the declarations of the package are checked, too. */
const STRICT = {
  target: 'es2023',
  lib: ['es2023'],
  strict: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  types: ['node'],
  typeRoots: [join(ROOT, 'node_modules', '@types')],
};

async function compile(cwd: string, options: object): Promise<string> {
  const config = { compilerOptions: { ...STRICT, ...options }, files: ['consumer.ts'] };
  await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify(config));
  return (await run(process.execPath, [TSC, '-p', '.'], { cwd }).catch((error) => error)).stdout;
}

const directory = await realpath(await mkdtemp(join(tmpdir(), 'fanout-test-')));
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('the packed package', { timeout: 180_000 }, () => {
  let packed: Packed;
  let cwd: string;
  let output: string;
  beforeAll(async () => {
    packed = await pack(directory);
    ({ cwd, output } = await install(packed, 'consumer'));
  }, 180_000);

  it('contains the program, the library, their documentation and the licence, and nothing else', () => {
    const { files, size, unpackedSize } = packed;
    const allowed =
      /^(bin\/fanout\.js|man\/fanout\.1|dist\/(.+\.(js|d\.ts)|LICENCES)|docs\/[\w-]+\.(md|svg)|docs\/deploy\/[\w-]+\.(yaml|json|conf|sh)|(?:package|fanout\.config\.schema)\.json|[A-Z]+(\.md)?)$/;
    expect(files.filter((path) => !allowed.test(path))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/fanout.js',
        'man/fanout.1',
        'dist/index.js',
        'dist/index.d.ts',
        'dist/cli/main.js',
        'dist/LICENCES',
        'docs/manual.md',
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
      ]),
    );
    expect(size).toBeLessThan(0.6e6);
    // A third of it is undici, which the bundle includes.
    expect(unpackedSize).toBeLessThan(2.2e6);
    // The library needs about twenty; all of src would be hundreds.
    expect(files.filter((path) => path.endsWith('.d.ts')).length).toBeLessThan(30);
  });

  it('has every file that its pages link to', async () => {
    const paths = packed.files.filter((path) => path.endsWith('.md'));
    const links = await Promise.all(
      paths.map(async (path) => linksOf({ path, text: await readFile(join(ROOT, path), 'utf8') })),
    );
    const missing = links.flat().filter(({ path }) => !packed.files.includes(path));
    expect(missing).toEqual([]);
  });

  it('installs without a warning, and without a script of its own or of its dependencies', async () => {
    expect(output).not.toMatch(/warn/i);
    const lock = JSON.parse(await readFile(join(cwd, 'package-lock.json'), 'utf8'));
    const scripted = Object.entries(lock.packages).filter(([, entry]) =>
      Object.hasOwn(Object(entry), 'hasInstallScript'),
    );
    expect(scripted).toEqual([]);
    const manifest = JSON.parse(await readFile(join(cwd, 'node_modules/fanout/package.json'), 'utf8'));
    const onInstall = /^((pre|post)?(install|prepare)|prepublish)$/;
    expect(Object.keys(manifest.scripts).filter((name) => onInstall.test(name))).toEqual([]);
    expect(await readFile(join(cwd, 'node_modules/fanout', manifest.man), 'utf8')).toContain('.TH FANOUT 1');
  });

  it('names its types where every way to resolve modules looks for them', async () => {
    const { main, types, exports } = JSON.parse(
      await readFile(join(cwd, 'node_modules/fanout/package.json'), 'utf8'),
    );
    expect(exports['.']).toEqual({ types, default: main });
    expect(packed.files).toEqual(
      expect.arrayContaining([main, types].map((path: string) => path.replace('./', ''))),
    );
  });

  it('is a library with types in TypeScript, and a program that npx starts', async () => {
    const origin = await anOrigin();
    await writeFile(join(cwd, 'consumer.ts'), CONSUMER);

    const bundler = { module: 'esnext', moduleResolution: 'bundler', noEmit: true };
    expect(await compile(cwd, bundler)).toBe('');
    expect(await compile(cwd, { module: 'nodenext' })).toBe('');
    const { stdout } = await run(process.execPath, ['consumer.js', `${origin.url}/ok`], { cwd });
    expect(stdout).toMatch(/^3 3\n\{[\s\S]*\}\n1 1\n2\n4\ntrue\none\n$/);

    const npx = (...args: readonly string[]) => run('npx', ['--no', '--', 'fanout', ...args], { cwd });
    expect((await npx('--version')).stdout).toBe(`${packed.version}\n`);
    expect((await npx('fetch', `${origin.url}/ok`)).stdout).toMatch(/^OK {4}200 /);
  });

  it('works without its optional peers, which npm does not install, except for runs on many machines', async () => {
    const origin = await anOrigin();
    expect(await readdir(join(cwd, 'node_modules'))).not.toContain('@nats-io');
    const fanout = (...args: readonly string[]) =>
      run(join(cwd, 'node_modules', '.bin', 'fanout'), [...args], { cwd });

    const flags = [
      '--json',
      '--save-dir',
      'pages',
      '--journal',
      'j',
      '--report',
      'junit=r.xml',
      '-o',
      'results.jsonl',
    ];
    await fanout('fetch', `${origin.url}/ok`, ...flags);
    expect((await fanout('report', 'results.jsonl', '--format', 'csv')).stdout).toContain('/ok,');
    expect((await fanout('diff', 'results.jsonl', 'results.jsonl')).stdout).toContain('1 unchanged');

    const onBroker = ['--broker', 'nats://127.0.0.1:1', '--run', 'r'];
    const refused = await fanout('cluster', 'status', ...onBroker).catch((error) => error);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining(
        'run "npm install @nats-io/transport-node@3.3.1 @nats-io/jetstream@3.3.1 @nats-io/kv@3.3.1"',
      ),
    ]);
  });
});
