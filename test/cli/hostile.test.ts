import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { running } from '../http/client.ts';
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

/** Everything that a terminal interprets: control characters except the newline, and marks that change the text direction. */
const INTERPRETED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const PASSWORD = /s3cret|s%33cret|czNjcmV0|OnMzY3JldA/;

/** Runs a list. Resolves to the lines of everything that was written: both streams and the list of `--failed`. */
async function written(format: string, list: readonly string[], flags: readonly string[] = []) {
  const failed = join(await tempDir(), 'failed.txt');
  const args = ['fetch', '--format', format, '--retries', '0', '--failed', failed, ...flags];
  const { stdout, stderr } = await runCli(args, { stdin: list.join('\n') });
  const [, ok, bad] = /Done: (\d+) succeeded, (\d+) failed/.exec(stderr) ?? [];
  expect([Number(ok) + Number(bad), stdout.split('\n').length >= list.length]).toEqual([list.length, true]);
  return `${stdout}${stderr}${await readFile(failed, 'utf8')}`.split('\n');
}

const HOSTILE_LINES = {
  'a line': 'ht\u001b[31mtp://x/\u0007',
  'the path of a URL': 'http://127.0.0.1:9/\u001b[2J\u009b31m',
  'the host of a URL': 'http://a\u001b[31mb/',
  'a mark that changes the text direction': 'http://127.0.0.1:9/\u202eabc \u2066',
  'a JSON key': '{"url":"http://x/","\\u001b[31m":1}',
  'an id': '{"url":"http://127.0.0.1:9/","id":"\\u001b[31m\\n\\u202e"}',
  'a line separator in an id': '{"url":"http://127.0.0.1:9/","id":"\\u2028FAIL"}',
};

const HOSTILE_SERVERS = {
  'a reason phrase': escapeInReason,
  'a reason phrase in UTF-8': utf8Reason,
  'a content type': escapeInContentType,
  'an escape in a redirect': escapeLocation,
  'a control character in a redirect': controlLocation,
  'bytes that are not text': binaryGarbage,
  'another protocol': sshBanner,
};

/** Lines with a password, for an origin at this host and port. */
const linesWithPassword = (host: string) => ({
  'of a URL that works': `http://me:s3cret@${host}/ok`,
  'of a URL that fails': `http://me:s3cret@${host}/status/404`,
  encoded: `http://me:s%33cret@${host}/status/404`,
  'without a name': `http://:s3cret@${host}/ok`,
  'of an invalid URL': 'http://me:s3cret@host:99999/',
  'of a scheme that is refused': 'ftp://me:s3cret@host/',
  'of a line without a scheme': 'me:s3cret@host/',
  'of a URL with a space': 'http://me:s3cret@ho st/',
  'of a JSON job': JSON.stringify({ url: `http://me:s3cret@${host}/status/404` }),
  'of a JSON job that is broken': `{"url": "http://me:s3cret@${host}/", "nope": 1}`,
  'of JSON that is broken': `{"url": "http://me:s3cret@${host}/"`,
  'of a connection that is refused': 'http://me:s3cret@127.0.0.1:9/',
});

describe.each(['text', 'jsonl', 'csv'])('--format %s', (format) => {
  it('writes no escape sequence of the list', async () => {
    const lines = await written(format, Object.values(HOSTILE_LINES));
    expect(lines.filter((line) => INTERPRETED.test(line))).toEqual([]);
  });

  it('writes no escape sequence of a server', async () => {
    const servers = await Promise.all(Object.values(HOSTILE_SERVERS).map((start) => running(start())));
    const urls = servers.map(({ url }) => url);
    const lines = await written(format, urls, ['--timeout', '2s']);
    expect(lines.filter((line) => INTERPRETED.test(line))).toEqual([]);
  });

  it('writes no password of a list, and none that a server put into a redirect', async () => {
    const origin = await anOrigin();
    const server = await running(credentialsLocation());
    const list = Object.values(linesWithPassword(`${origin.host}:${origin.port}`));
    const lines = await written(format, [...list, server.url]);
    expect(lines.filter((line) => PASSWORD.test(line) || line.includes('hunter2'))).toEqual([]);
  });
});

it('writes no password of an argument or a line for --default-scheme', async () => {
  for (const args of [['http://me:s3cret@host:99999/'], ['--default-scheme', 'http', '-']]) {
    const { stdout, stderr } = await runCli(['fetch', ...args], { stdin: 'me:s3cret@:99999/\n' });
    expect(stdout + stderr).not.toContain('s3cret');
  }
});
