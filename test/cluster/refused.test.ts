import { describe, expect, it } from 'vitest';
import { runInProcess } from '../cli/run-in-process.ts';
import { aNatsServer, freePort } from './nats-server.ts';

const COMMANDS = ['feed', 'work', 'collect', 'status', 'runs', 'dead', 'purge', 'stop', 'pause', 'resume'];

describe('the commands of several machines', { timeout: 60_000 }, () => {
  it.each(COMMANDS)('%s says that no broker is there', async (command) => {
    const operands = command === 'feed' ? ['http://127.0.0.1:1/'] : [];
    const port = await freePort();
    const broker = `nats://me:secret@127.0.0.1:${port}`;
    const { code, stderr } = await runInProcess([
      'cluster',
      command,
      ...operands,
      ...(command === 'runs' ? [] : ['--run', 'r']),
      '--broker',
      broker,
      '--wait',
      '1ms',
    ]);
    expect([code, stderr]).toEqual([
      69,
      expect.stringContaining(`cannot connect to the broker at 127.0.0.1:${port}: `),
    ]);
    expect(stderr).not.toContain('secret');
  });

  it('say which flag is missing, and what is wrong with one, without showing a password', async () => {
    const said = async (...args: string[]) => (await runInProcess(['cluster', ...args])).stderr;
    expect(await said('work', '--run', 'r')).toContain('--broker is missing');
    expect(await said('status', '--broker', 'nats://127.0.0.1:1')).toContain('--run is missing');
    expect(await said('status', '--run', 'a b', '--broker', 'nats://h')).toContain('letters, digits');
    const wrong = await said('status', '--run', 'r', '--broker', 'http://u:secret@h');
    expect(wrong).toContain('nats://[user:password@]host');
    expect(wrong).not.toContain('secret');
    expect(await said('dead', 'wake', '--run', 'r', '--broker', 'nats://h')).toContain(
      'list, export or retry',
    );
    for (const flags of [['--journal', 'j'], ['--keep-failed']]) {
      const [flag] = flags;
      const fetch = await said('fetch', '--broker', 'nats://h', ...flags, 'http://h/');
      expect(fetch).toMatch(new RegExp(`no option ${flag} here: .* in the broker`));
      const collect = await said('collect', '--broker', 'nats://h', '--run', 'r', ...flags);
      expect(collect).toMatch(new RegExp(`no option ${flag} here: .* in the broker`));
    }
    expect(await said('collect', '--broker', 'nats://h', '--run', 'r', '--max-failures', '0')).toContain(
      'invalid value "0" for --max-failures: must be a positive integer',
    );
  });

  it('say that a run is not there, and that credentials are wrong', async () => {
    const open = await aNatsServer();
    const unknown = await runInProcess(['cluster', 'work', '--run', 'nobody', '--broker', open.url]);
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringContaining('the broker has no run "nobody"'),
    ]);
    const locked = await aNatsServer(['--user', 'me', '--pass', 'right']);
    const url = locked.url.replace('//', '//me:wrong@');
    const refused = await runInProcess(['cluster', 'status', '--run', 'r', '--broker', url]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('it refuses the credentials'),
    ]);
    expect(refused.stderr).not.toContain('wrong@');
    const right = await runInProcess(['cluster', 'status', '--run', 'r'], {
      env: { FANOUT_BROKER: locked.url.replace('//', '//me:right@') },
    });
    expect(right.stderr).toContain('the broker has no run "r"');
  });
});
