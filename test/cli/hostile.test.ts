import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  binaryGarbage,
  controlLocation,
  credentialsLocation,
  escapeInContentType,
  escapeInReason,
  escapeLocation,
  sshBanner,
  utf8Reason,
} from '../origin/hostile.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { anOrigin } from './an-origin.ts';

/** Anything that a terminal would obey: controls other than the newline, and marks that turn text round. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const FORMATS = ['text', 'jsonl', 'csv'];

/** All that the run wrote: both streams and the list of failures. */
async function written(format: string, stdin: string, flags: readonly string[] = []): Promise<string> {
  const failed = join(await tempDir(), 'failed.txt');
  const args = ['fetch', '--format', format, '--retries', '0', '--failed', failed, ...flags];
  const { stdout, stderr } = await runCli(args, { stdin });
  expect(stdout).not.toBe('');
  return stdout + stderr + (await readFile(failed, 'utf8'));
}

describe.each(FORMATS)('--format %s', (format) => {
  it.each([
    ['a line', 'ht\u001b[31mtp://x/\u0007'],
    ['the path of a URL', 'http://127.0.0.1:9/\u001b[2J\u009b31m'],
    ['the host of a URL', 'http://a\u001b[31mb/'],
    ['a mark that turns text round', 'http://127.0.0.1:9/\u202eabc \u2066'],
    ['a JSON key', '{"url":"http://x/","\\u001b[31m":1}'],
    ['an id', '{"url":"http://127.0.0.1:9/","id":"\\u001b[31m\\n\\u202e"}'],
    ['a line separator in an id', '{"url":"http://127.0.0.1:9/","id":"\\u2028FAIL"}'],
  ])('writes no escape sequence of the list: %s', async (_, line) => {
    expect(await written(format, line)).not.toMatch(OBEYED);
  });

  it.each([
    ['a reason phrase', escapeInReason],
    ['a reason phrase in UTF-8', utf8Reason],
    ['a content type', escapeInContentType],
    ['an escape in a redirect', escapeLocation],
    ['a control character in a redirect', controlLocation],
    ['bytes that are no text', binaryGarbage],
    ['another protocol', sshBanner],
  ])('writes no escape sequence of a server: %s', async (_, start) => {
    const server = await start();
    onTestFinished(() => server.close());
    expect(await written(format, server.url, ['--timeout', '2s'])).not.toMatch(OBEYED);
  });

  it.each([
    ['of a URL that works', (host: string) => `http://me:s3cret@${host}/ok`],
    ['of a URL that fails', (host: string) => `http://me:s3cret@${host}/status/404`],
    ['encoded', (host: string) => `http://me:s%33cret@${host}/status/404`],
    ['without a name', (host: string) => `http://:s3cret@${host}/ok`],
    ['of an invalid URL', () => 'http://me:s3cret@host:99999/'],
    ['of a scheme that is refused', () => 'ftp://me:s3cret@host/'],
    ['of a line without a scheme', () => 'me:s3cret@host/'],
    ['of a URL with a space', () => 'http://me:s3cret@ho st/'],
    ['of a JSON job', (host: string) => JSON.stringify({ url: `http://me:s3cret@${host}/status/404` })],
    ['of a JSON job that is broken', (host: string) => `{"url": "http://me:s3cret@${host}/", "nope": 1}`],
    ['of JSON that is broken', (host: string) => `{"url": "http://me:s3cret@${host}/"`],
    ['of a connection that is refused', () => 'http://me:s3cret@127.0.0.1:9/'],
  ])('writes no password %s', async (_, line) => {
    const origin = await anOrigin();
    expect(await written(format, line(`${origin.host}:${origin.port}`))).not.toMatch(
      /s3cret|s%33cret|czNjcmV0|OnMzY3JldA/,
    );
  });

  it('writes no password that a server put into a redirect', async () => {
    const server = await credentialsLocation();
    onTestFinished(() => server.close());
    expect(await written(format, server.url)).not.toContain('hunter2');
  });
});

it('shows the password of an argument or of --default-scheme nowhere either', async () => {
  for (const args of [['http://me:s3cret@host:99999/'], ['--default-scheme', 'http', '-']]) {
    const { stdout, stderr } = await runCli(['fetch', ...args], { stdin: 'me:s3cret@:99999/\n' });
    expect(stdout + stderr).not.toContain('s3cret');
  }
});
