import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { anOrigin } from '../cli/an-origin.ts';
import { tempDir } from '../origin/temp-dir.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

const CONSUMER = `
import { fanout, type FanoutOptions, type JobInput, type Result, encodeRecord, UsageError } from 'fanout';

const options: FanoutOptions = { concurrency: 4, timeout: '5s', signal: new AbortController().signal };
const job: JobInput = { url: process.argv[2] ?? '', id: 'one' };
const taken: Result[] = [];
for await (const result of fanout([job], options)) {
  taken.push(result);
  if (!result.ok) console.log(result.failure.kind satisfies string);
}
// @ts-expect-error: the types know the options
try { fanout([], { concurency: 1 }); } catch (error) { console.log(error instanceof UsageError); }
console.log(taken.map((result) => JSON.parse(encodeRecord(result)).id).join());
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023'],
    module: 'nodenext',
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  },
  files: ['consumer.ts'],
};

// npm asks the registry for the dependencies, unless its cache has them.
test('the packed package installs, type-checks and runs in an empty folder', {
  timeout: 180_000,
}, async () => {
  const origin = await anOrigin();
  const directory = await tempDir();
  const cwd = join(directory, 'consumer');
  await mkdir(cwd);
  // The build is there already: a test that builds would pull it from under the others.
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
  const [packed] = JSON.parse((await run('npm', pack, { cwd: ROOT })).stdout);
  const files: string[] = packed.files.map(({ path }: { path: string }) => path);
  expect(files).toEqual(
    expect.arrayContaining(['package.json', 'LICENSE', 'bin/fanout.js', 'dist/index.js', 'dist/index.d.ts']),
  );
  expect(files.filter((path) => /^(src|test|node_modules)\//.test(path))).toEqual([]);

  await writeFile(
    join(cwd, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  );
  await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await writeFile(join(cwd, 'consumer.ts'), CONSUMER);
  const install = [
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    join(directory, packed.filename),
  ];
  await run('npm', install, { cwd });

  const compiled = await run(process.execPath, [TSC, '-p', '.'], { cwd }).catch((error) => error);
  expect(compiled.stdout).toBe('');
  const { stdout } = await run(process.execPath, ['consumer.js', `${origin.url}/ok`], { cwd });
  expect(stdout).toBe('true\none\n');

  const bin = join(cwd, 'node_modules', '.bin', 'fanout');
  expect((await run(bin, ['fetch', `${origin.url}/ok`], { cwd })).stdout).toMatch(/^OK {4}200 /);
});
