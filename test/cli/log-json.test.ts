import { describe, expect, it } from 'vitest';
import { logLine } from '../../src/cli/terminal.ts';
import { aNatsServer } from '../cluster/nats-server.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** The objects on standard error, each of them on a line. */
function linesOf(stderr: string): readonly Record<string, unknown>[] {
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('--log json', { timeout: 60_000 }, () => {
  it('makes each message of a run one JSON object, with run, role and worker', async () => {
    const [broker, origin, directory] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 3), `${origin.url.replace('//', '//me:secret@')}/status/404`];
    const args = ['cluster', 'fetch', await aFile(list), '--broker', broker.url, '--run', 'r', '-vv'];
    const env = { GITHUB_ACTIONS: 'true' }; // its annotations are no JSON
    const outputs = ['--failed', `${directory}/f`, '--progress'];
    const { code, stderr } = await runInProcess([...args, ...outputs, '--log', 'json'], { env });
    const lines = linesOf(stderr);
    expect(code).toBe(1);
    for (const line of lines) {
      expect(line).toMatchObject({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        level: expect.stringMatching(/^(error|warn|info|debug)$/),
        message: expect.any(String),
        ...{ run: 'r', role: 'fetch', worker: expect.stringMatching(/-\d+$/) },
      });
    }
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ level: 'debug', event: expect.objectContaining({ kind: 'request' }) }),
        expect.objectContaining({ level: 'warn', message: expect.stringContaining('-H: authorization') }),
        expect.objectContaining({ level: 'info', summary: expect.objectContaining({ ok: 3, failed: 1 }) }),
      ]),
    );
    expect(stderr).not.toContain('secret@');
  });

  it.each([
    ['an unknown option', ['cluster', 'status', '--nope', '--log', 'json'], {}],
    ['a bad value', ['cluster', 'work', '--lanes', '0', '--log=json'], {}],
    ['no broker', ['cluster', 'runs'], { FANOUT_LOG: 'json' }],
    ['an unknown command', ['cluster', 'nope'], { FANOUT_LOG: 'json' }],
  ])('shows %s as an object, too', async (_, args, env) => {
    const { code, stderr } = await runInProcess(args, { env });
    const [line, ...more] = linesOf(stderr);
    expect([code, line?.level, more]).toEqual([2, 'error', []]);
    expect(line?.message).not.toMatch(/^error/);
  });

  it('is for cluster commands', async () => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', '--log', 'json']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('no option --log here')]);
  });

  it('has no control characters, and no field that replaces those of each line', () => {
    const context = { run: 'r', role: 'work', worker: 'w' };
    const fields = { level: 'none', message: 'other', urls: 3 };
    const line = logLine('warn', 'a\nb\u001b[31m\u009b\u2028', { context, fields, nowMs: 0 });
    expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(JSON.parse(line)).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      message: 'a\nb\u001b[31m\u009b\u2028',
      ...context,
      urls: 3,
    });
  });
});
