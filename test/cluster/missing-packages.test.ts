import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aSegment } from '../model/a-segment.ts';
import { BIN, runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';

const ROOT = dirname(dirname(BIN));
const SLOW = { killAfterMs: 60_000 };
const ON = ['--broker', 'nats://127.0.0.1:1', '--run', 'r'];

/** A copy of the program without these packages. */
async function programWithout(...missing: readonly string[]): Promise<string> {
  const folder = await tempDir();
  for (const part of ['bin', 'dist', 'package.json']) {
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  }
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (missing.includes(name) || name.startsWith('.')) continue;
    await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  return join(folder, 'bin', 'fanout.js');
}

/** Whether an output is this message, after the prefix of errors. */
function endOf(message: string): RegExp {
  // A warning that the pipe on standard input is ignored may come first.
  return new RegExp(`^(?:warning: .*\\n)?error: ${message.replace(/[.]/g, '\\.')}$`);
}

describe('where an optional package is missing', { timeout: 60_000 }, () => {
  it('each command of several machines says how to install the client of the broker', async () => {
    const bin = await programWithout('@nats-io');
    const commands = ['feed', 'work', 'collect', 'status', 'dead', 'purge', 'fetch'];
    const outputs = commands.map(async (command) => {
      const urls = /^f/.test(command) ? ['http://127.0.0.1:1/'] : [];
      const { code, stderr } = await runCli(['cluster', command, ...urls, ...ON], { bin, ...SLOW });
      return [command, code, stderr];
    });
    const message =
      'the NATS client is not installed: run "npm install @nats-io/transport-node@3.3.1 @nats-io/jetstream@3.3.1 @nats-io/kv@3.3.1"\n';
    expect(await Promise.all(outputs)).toEqual(
      commands.map((command) => [command, 2, expect.stringMatching(endOf(message))]),
    );
  });

  it('--metrics says how to install its package, which nothing else needs', async () => {
    const bin = await programWithout('prom-client');
    const commands = ['feed', 'work', 'collect', 'fetch'];
    const outputs = commands.map(async (command) => {
      const urls = /^f/.test(command) ? ['http://127.0.0.1:1/'] : [];
      const { code, stderr } = await runCli(['cluster', command, ...urls, ...ON, '--metrics', '0'], {
        bin,
        ...SLOW,
      });
      return [command, code, stderr];
    });
    const message = 'the package for --metrics is not installed: run "npm install prom-client@15"\n';
    expect(await Promise.all(outputs)).toEqual(
      commands.map((command) => [command, 2, expect.stringMatching(endOf(message))]),
    );
    const { stderr } = await runCli(['cluster', 'work', ...ON, '--wait', '0'], { bin });
    expect(stderr).toContain('cannot connect to the broker');
  });

  it('--store with a bucket says how to install its package, which a directory does not need', async () => {
    const bin = await programWithout('@aws-sdk');
    const report = (shards: string) =>
      runCli(['report', '--store', shards], { bin, stdin: `${JSON.stringify({ v: 1, ...aSegment() })}\n` });
    const { code, stderr } = await report('s3://bucket');
    expect([code, stderr]).toEqual([
      2,
      'error: the package for --store s3://… is not installed: run "npm install @aws-sdk/client-s3@3"\n',
    ]);
    expect((await report('none')).stderr).toContain('no such file or directory');
  });
});
