import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { anOrigin } from './cli/an-origin.ts';
import { startProcess } from './origin/run-cli.ts';
import { tempDir } from './origin/temp-dir.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: {
    readonly using: string;
    readonly steps: readonly {
      readonly id?: string;
      readonly run?: string;
      readonly env?: Record<string, string>;
    }[];
  };
}

const action: Action = parse(await readFile(join(ROOT, 'action.yml'), 'utf8'));
const script = action.runs.steps.find(({ id }) => id === 'fetch');

/** What npm installs here instead of tsx: it "builds" a program that records its arguments and runs the built one. */
const FAKE_BUILD = `
import { mkdirSync, writeFileSync } from 'node:fs';
mkdirSync('dist/cli', { recursive: true });
writeFileSync('dist/cli/main.js', \`
  import { writeFileSync } from 'node:fs';
  import { main as run } from ${JSON.stringify(pathToFileURL(join(ROOT, 'dist/cli/main.js')).href)};
  export function main(process) {
    writeFileSync(process.env.RECEIVED, process.argv.slice(2).join('\\\\n'));
    return run(process);
  }
\`);`;

/** An npm that records its directory, arguments and environment, and installs `FAKE_BUILD` or links the real packages. */
const FAKE_NPM = `#!/bin/bash
{ pwd; printf '%s\n' "$*"; env; } > "\${0%/*}/npm-call"
if [[ -e "\${0%/*}/fails" ]]; then echo 'npm is broken'; exit 1; fi
if [[ -e "\${0%/*}/real" ]]; then ln -s '${ROOT}node_modules' node_modules; exit; fi
mkdir -p node_modules/tsx/dist
cp "\${0%/*}/fake-build.mjs" node_modules/tsx/dist/cli.mjs
`;

interface Preparation {
  /** Called with the checkout of the job. */
  readonly prepare?: (work: string) => Promise<unknown>;
  /** Build the program with the packages of this project. */
  readonly builds?: boolean;
  /** Let npm fail. */
  readonly fails?: boolean;
}

/** Runs the script of the action as the runner does, with an npm that installs nothing from a registry. */
async function runAction(
  inputs: Readonly<Record<string, string>>,
  { prepare, builds, fails }: Preparation = {},
) {
  const directory = await tempDir();
  await writeFile(join(directory, 'npm'), FAKE_NPM);
  await chmod(join(directory, 'npm'), 0o755);
  await writeFile(join(directory, 'fake-build.mjs'), FAKE_BUILD);
  if (fails) await writeFile(join(directory, 'fails'), '');
  if (builds) await writeFile(join(directory, 'real'), '');
  const [received, output] = [join(directory, 'received'), join(directory, 'output')];
  const work = await tempDir();
  await prepare?.(work);
  const given = Object.entries(action.inputs).map(([name, { default: value = '' }]) => [
    `INPUT_${name.toUpperCase().replaceAll('-', '_')}`,
    inputs[name] ?? String(value),
  ]);
  const env = {
    ...Object.fromEntries(given),
    ...{
      PATH: `${directory}:${process.env.PATH}`,
      RECEIVED: received,
      SECRET: 'a-secret',
      https_proxy: 'http://p:1',
    },
    ...{ GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: output, RUNNER_TEMP: directory, GITHUB_ACTION_PATH: ROOT },
  };
  const file = join(directory, 'script.sh');
  await writeFile(file, script?.run ?? '');
  const bash = ['--noprofile', '--norc', '-eo', 'pipefail', file];
  const { code, stderr, stdout } = await startProcess('bash', bash, { env, cwd: work }).done;
  const text = await readFile(output, 'utf8').catch(() => '');
  const outputs = Object.fromEntries(
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('=')),
  );
  const args = (await readFile(received, 'utf8').catch(() => '')).trimEnd().split('\n');
  const npm = await readFile(join(directory, 'npm-call'), 'utf8').catch(() => '');
  return { code, stderr, stdout, outputs, args, npm, left: await readdir(work) };
}

test('no input becomes part of a script, and each has its place in the environment', () => {
  for (const { run = '' } of action.runs.steps) expect(run).not.toContain('${{');
  expect(action.runs.using).toBe('composite');
  const used = Object.values(script?.env ?? {}).map((value) => /inputs\.([\w-]+)/.exec(value)?.[1]);
  expect([...used, 'node-version'].sort()).toEqual(Object.keys(action.inputs).sort());
});

describe('the action', () => {
  it('sets its outputs, writes all reports, and ends with the exit code of fanout', async () => {
    const origin = await anOrigin();
    const { code, outputs, stderr } = await runAction({
      urls: `${origin.url}/ok\n\n${origin.url}/status/404\r\n${origin.url}/redirect/1`,
    });
    expect(code).toBe(1);
    expect(outputs).toMatchObject({ failed: '1', succeeded: '2' });
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(action.outputs).sort());
    expect((await readdir(outputs.report)).sort()).toEqual([
      ...['report.html', 'report.json', 'report.md', 'report.xml', 'results.jsonl'],
    ]);
    expect(stderr).toContain('::error::404');
  });

  it('succeeds when every URL is OK', async () => {
    const origin = await anOrigin();
    expect(await runAction({ urls: `${origin.url}/ok` })).toMatchObject({
      code: 0,
      outputs: { failed: '0', succeeded: '1' },
    });
  });

  it('passes on arguments line by line, unchanged', async () => {
    const origin = await anOrigin();
    const { code, args } = await runAction({
      urls: `${origin.url}/status/404`,
      args: '--accept\n404, 200\n-H=x: $HOME "a b"\n',
    });
    expect(args.slice(0, 4)).toEqual(['fetch', '--accept', '404, 200', '-H=x: $HOME "a b"']);
    expect(code).toBe(2); // "-H=x" is no header; it came through unchanged
  });

  it.each([
    ['urls', '$(touch pwned); touch pwned\n`touch pwned`'],
    ['args', '--header\n$(touch pwned)`touch pwned`'],
    ['report-dir', 'out$(touch pwned)'],
  ])('executes nothing of the input %s: %s', async (name, value) => {
    const { left, code } = await runAction({ urls: 'http://127.0.0.1:9/', [name]: value });
    expect(code).not.toBe(0);
    expect(left).not.toContain('pwned');
  });

  it('installs by the lock file, outside of the checkout, without scripts, settings and secrets of the job', async () => {
    const origin = await anOrigin();
    const evil = 'throw new Error("the checkout was run")';
    const { code, npm, stdout, stderr } = await runAction(
      { urls: `${origin.url}/ok` },
      {
        prepare: async (work) => {
          await writeFile(join(work, '.npmrc'), 'registry=http://127.0.0.1:9/\n');
          await writeFile(join(work, 'package.json'), '{"type":"module","scripts":{"build":"exit 9"}}');
          for (const name of ['fanout', 'tsx/dist', '.bin'])
            await mkdir(join(work, 'node_modules', name), { recursive: true });
          await writeFile(join(work, 'node_modules/fanout/index.js'), evil);
          await writeFile(join(work, 'node_modules/tsx/dist/cli.mjs'), evil);
          for (const name of ['fanout', 'npx', 'npm', 'node'])
            await writeFile(join(work, 'node_modules/.bin', name), 'exit 9', { mode: 0o755 });
        },
      },
    );
    expect([code, stdout, stderr]).toEqual([0, expect.any(String), expect.stringContaining('1 succeeded')]);
    const [directory = '', flags, ...environment] = npm.trimEnd().split('\n');
    expect(directory).toMatch(/fanout-program-/);
    expect(flags).toBe('ci --ignore-scripts --no-audit --no-fund');
    expect(environment.filter((line) => !/^(PWD|SHLVL|OLDPWD|_|PATH)=/.test(line)).sort()).toEqual([
      `HOME=${directory}`,
      'https_proxy=http://p:1',
      `npm_config_globalconfig=${directory}/global.npmrc`,
      `npm_config_userconfig=${directory}/user.npmrc`,
    ]);
  });

  it('ends with what npm wrote when that fails', async () => {
    const run = await runAction({ urls: 'http://127.0.0.1:9/' }, { fails: true });
    expect([run.code, run.stdout]).toEqual([2, 'npm is broken\n::error::Building fanout failed\n']);
    expect(run.args).toEqual(['']);
  });

  it('builds the program from its own checkout', async () => {
    const origin = await anOrigin();
    const { code, stderr } = await runAction({ urls: `${origin.url}/ok` }, { builds: true });
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 succeeded')]);
  });

  it('does not take a URL for a flag', async () => {
    const { code, args } = await runAction({ urls: '--help' });
    expect([code, args.slice(-2)]).toEqual([2, ['--', '--help']]);
  });

  it('sets only its own outputs', async () => {
    const { outputs } = await runAction({ urls: 'nothing.txt', 'report-dir': 'out\nfailed=0' });
    expect(outputs).toEqual({ report: 'out' });
  });

  it('reports a missing input', async () => {
    expect(await runAction({ urls: ' \n'.trim() })).toMatchObject({
      code: 2,
      stdout: '::error::Name at least one file or URL in urls\n',
    });
  });
});
