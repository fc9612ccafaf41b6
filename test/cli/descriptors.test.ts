import { expect, test } from 'vitest';
import { startDnsServer } from '../origin/dns-server.ts';
import { BIN, type CliOptions, startProcess } from '../origin/run-cli.ts';
import { anOrigin } from './an-origin.ts';

// Only Linux accepts connections to all of 127.0.0.0/8 without configuration.
const isLinux = process.platform === 'linux';
const HOSTS = 3_000;
const OK_LINE = /^OK /gm;

/** Starts the program with a limit of descriptors, and runs the code `hog` first in its process. */
function startWith(limit: number, args: readonly string[], options: CliOptions, hog = '') {
  const command = `ulimit -n ${limit}; exec "$0" --import "data:text/javascript,${encodeURIComponent(hog)}" "$@"`;
  return startProcess('sh', ['-c', command, process.execPath, BIN, 'fetch', '-', ...args], {
    killAfterMs: 60_000,
    ...options,
  });
}

async function manyHosts(count: number): Promise<string> {
  const { port } = await anOrigin({ host: '0.0.0.0', logLimit: 0 });
  const hosts = Array.from({ length: count }, (_, index) => `127.0.${(index >> 8) + 1}.${index & 255}`);
  return hosts.map((host) => `http://${host}:${port}/ok\n`).join('');
}

const holding = (count: number) => `
  import { openSync } from 'node:fs';
  for (let i = 0; i < ${count}; i += 1) openSync('/dev/null', 'r');`;

test.runIf(isLinux)(
  '256 descriptors are enough for 3,000 hosts and 256 workers, with one warning',
  async () => {
    const { done } = startWith(256, ['-c', '256'], { stdin: await manyHosts(HOSTS) });
    const { code, stdout, stderr } = await done;
    expect([code, stdout.match(OK_LINE)?.length]).toEqual([0, HOSTS]);
    expect(stderr.match(/^warning: .*$/gm)).toEqual([
      'warning: lowering --concurrency to 192: open-file limit is 256 (raise it with ulimit -n 576)',
    ]);
  },
  60_000,
);

test.runIf(isLinux)('--silent suppresses the warning about descriptors', async () => {
  const { done } = startWith(256, ['-c', '256', '--silent'], { stdin: await manyHosts(10) });
  expect(await done).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

test.runIf(isLinux)('a -c that fits causes no warning', async () => {
  const { done } = startWith(256, ['-c', '192'], { stdin: await manyHosts(10) });
  expect((await done).stderr).not.toContain('concurrency');
});

test.runIf(isLinux)(
  'descriptors that other code of the process holds cost time and no URL',
  async () => {
    const { done } = startWith(256, ['-c', '256'], { stdin: await manyHosts(1_000) }, holding(200));
    const { code, stdout } = await done;
    expect([code, stdout.match(OK_LINE)?.length]).toEqual([0, 1_000]);
  },
  60_000,
);

test.runIf(isLinux)(
  'descriptors that other code of the process holds cost no name lookup',
  async () => {
    const { port } = await anOrigin({ logLimit: 0 });
    const names = await startDnsServer({}, { fallback: { a: ['127.0.0.1'] } });
    const list = Array.from({ length: 500 }, (_, index) => `http://host${index}.test:${port}/ok\n`).join('');
    const args = ['-c', '256', '--dns-server', names.address, '-4'];
    const { code, stdout } = await startWith(256, args, { stdin: list }, holding(200)).done;
    await names.close();
    expect([code, stdout.match(OK_LINE)?.length]).toEqual([0, 500]);
  },
  60_000,
);

/** After SIGUSR2, takes every free descriptor for ever, and reports that once. */
const HOG = `
  import { openSync } from 'node:fs';
  const take = () => { for (;;) try { openSync('/dev/null', 'r'); } catch { return; } };
  process.on('SIGUSR2', () => { take(); setInterval(take, 1).unref(); process.stderr.write('all taken\\n'); });`;

test.runIf(isLinux).each([
  ['SIGINT', [], 130],
  ['--deadline', ['--deadline', '2s'], 1],
])(
  '%s ends a run that never gets a descriptor, and counts unsent URLs as not fetched',
  async (end, args, exitCode) => {
    const { child, stdout, stderr, done } = startWith(100, args, { stdin: 'open' }, HOG);
    // Nothing frees a descriptor later: there is no connection, and the input stays open.
    child.stdin?.write('first\n');
    await stdout.sees('first');
    child.kill('SIGUSR2');
    await stderr.sees('all taken');
    child.stdin?.write('http://127.0.0.1:9/1\nhttp://127.0.0.1:9/2\nnonsense\n');
    await stdout.sees('nonsense');
    if (end === 'SIGINT') child.kill('SIGINT');
    const { code } = await done;
    expect(code).toBe(exitCode);
    expect(stdout.text.match(/^FAIL {2}\w+ {2}\S+/gm)).toEqual([
      'FAIL  invalid  first',
      'FAIL  invalid  nonsense',
    ]);
    expect(stderr.text).toMatch(/0 succeeded, 2 failed, 2 not fetched/);
  },
);
