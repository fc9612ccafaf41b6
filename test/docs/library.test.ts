import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { marked } from 'marked';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, startOrigin } from '../origin/origin.ts';
import { ROOT } from './pages.ts';

const run = promisify(execFile);
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** What the examples in comments leave out. */
const PREAMBLE = `import { readFile } from 'node:fs/promises';
import { fanout, WorkerPool } from 'fanout';
void [readFile, fanout, WorkerPool];
const paths = ['urls.txt'];
`;

interface Example {
  readonly name: string;
  readonly code: string;
}

async function fromPage(): Promise<readonly Example[]> {
  const text = await readFile(join(ROOT, 'docs/library.md'), 'utf8');
  return marked
    .lexer(text)
    .flatMap((token) => (token.type === 'code' && token.lang === 'ts' ? [`${token.text}`] : []))
    .map((code, index) => ({ name: `example ${index + 1} of docs/library.md`, code }));
}

/** The indented block of a comment. */
async function fromComments(): Promise<readonly Example[]> {
  const files = ['src/index.ts', 'src/core/worker-pool.ts'];
  return Promise.all(
    files.map(async (file) => {
      const lines = (await readFile(join(ROOT, file), 'utf8')).split('\n');
      const code = lines.flatMap((line) => /^ \* {5}(.*)$/.exec(line)?.[1] ?? []).join('\n');
      return { name: `the example in ${file}`, code: `${PREAMBLE}${code}\nexport {};\n` };
    }),
  );
}

/** Writes a project that has the package and the examples, whose URLs lead to this origin. */
async function writeProject(cwd: string, examples: readonly Example[], origin: string): Promise<void> {
  await mkdir(join(cwd, 'node_modules'));
  await symlink(ROOT, join(cwd, 'node_modules', 'fanout'));
  await symlink(join(ROOT, 'node_modules', '@types'), join(cwd, 'node_modules', '@types'));
  await writeFile(join(cwd, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(cwd, 'urls.txt'), `${origin}/ok?1\n${origin}/ok?2\n`);
  await mkdir(join(cwd, 'docs'));
  await writeFile(join(cwd, 'docs/a.md'), '[a](gone.md)\n');
  await writeFile(join(cwd, 'README.md'), `[a](${origin}/ok)\n`);
  for (const [index, { code }] of examples.entries()) {
    await writeFile(join(cwd, `${index}.ts`), code.replaceAll('https://example.com/', `${origin}/ok?`));
  }
  const compilerOptions = {
    ...{ target: 'es2023', module: 'nodenext', types: ['node'], outDir: 'js' },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  };
  await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
}

const EXAMPLES = [...(await fromPage()), ...(await fromComments())];

describe('the examples of the library', { timeout: 60_000 }, async () => {
  const cwd = await realpath(await mkdtemp(join(tmpdir(), 'fanout-test-')));
  let origin: Origin;
  let errors: string;
  beforeAll(async () => {
    origin = await startOrigin();
    await writeProject(cwd, EXAMPLES, origin.url);
    errors = (await run(process.execPath, [TSC, '-p', '.'], { cwd }).catch((error) => error)).stdout;
  });
  afterAll(async () => {
    await origin.close();
    await rm(cwd, { recursive: true, force: true });
  });

  it('are found', () => {
    expect(EXAMPLES.length).toBeGreaterThan(8);
  });

  it('compile in strict TypeScript', () => {
    expect(errors).toBe('');
  });

  it.each(EXAMPLES.map(({ name }, index) => [name, index]))('%s runs', async (_, index) => {
    const { stdout, stderr } = await run(process.execPath, [join('js', `${index}.js`)], { cwd });
    expect(stderr).toBe('');
    expect(stdout).not.toMatch(/^$|undefined|\bfalse\b/);
  });
});
