import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { anOrigin } from './cli/an-origin.ts';
import { BIN, startProcess } from './origin/run-cli.ts';
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

/** Runs the script of the action as the runner does, with an npx that starts the built program and records its arguments. */
async function runAction(inputs: Readonly<Record<string, string>>) {
  const directory = await tempDir();
  const npx = join(directory, 'npx');
  await writeFile(npx, '#!/bin/bash\nprintf "%s\\n" "$@" > "$RECEIVED"\nshift 3\nexec "$NODE" "$BIN" "$@"\n');
  await chmod(npx, 0o755);
  const [received, output] = [join(directory, 'received'), join(directory, 'output')];
  const work = await tempDir();
  const given = Object.entries(action.inputs).map(([name, { default: value = '' }]) => [
    `INPUT_${name.toUpperCase().replaceAll('-', '_')}`,
    inputs[name] ?? String(value),
  ]);
  const env = {
    ...Object.fromEntries(given),
    ...{ PATH: `${directory}:${process.env.PATH}`, NODE: process.execPath, BIN, RECEIVED: received },
    ...{ GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: output, RUNNER_TEMP: directory },
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
  return { code, stderr, stdout, outputs, args, left: await readdir(work) };
}

test('no input becomes part of a script, and each has its place in the environment', () => {
  for (const { run = '' } of action.runs.steps) expect(run).not.toContain('${{');
  expect(action.runs.using).toBe('composite');
  const used = Object.values(script?.env ?? {}).map((value) => /inputs\.([\w-]+)/.exec(value)?.[1]);
  expect([...used, 'node-version'].sort()).toEqual(Object.keys(action.inputs).sort());
});

test('the version is that of the package', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  expect(action.inputs.version?.default).toBe(version);
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
    expect(args.slice(0, 7)).toEqual([
      '--yes',
      '--',
      expect.stringMatching(/^fanout@/),
      'fetch',
      '--accept',
      '404, 200',
      '-H=x: $HOME "a b"',
    ]);
    expect(code).toBe(2); // "-H=x" is no header; it came through unchanged
  });

  it.each([
    ['urls', '$(touch pwned); touch pwned\n`touch pwned`'],
    ['args', '--header\n$(touch pwned)`touch pwned`'],
    ['report-dir', 'out$(touch pwned)'],
    ['version', '1.0.0; touch pwned'],
    ['version', '../evil'],
    ['version', '1.0.0 --package=evil'],
  ])('executes nothing of the input %s: %s', async (name, value) => {
    const { left, code } = await runAction({ urls: 'http://127.0.0.1:9/', [name]: value });
    expect(code).not.toBe(0);
    expect(left).not.toContain('pwned');
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
