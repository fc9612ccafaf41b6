import { expect, test } from 'vitest';
import { running } from '../http/client.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

function recordsIn(stdout: string) {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** A server whose responses claim to be gzip and are not. */
async function garbled(statusLine: string, headers = ''): Promise<string> {
  const head = `HTTP/1.1 ${statusLine}\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n${headers}\r\n`;
  return (await running(startRawServer({ onRequest: ({ socket }) => void socket.write(`${head}plain`) })))
    .url;
}

test.each([
  ['dropped', []],
  ['saved', ['--save-all']],
  ['put into the record', ['--inline-body=1kb']],
])(
  'a 403 and a redirect keep their meaning when their bodies cannot be decoded and are %s',
  async (_, flags) => {
    const origin = await anOrigin();
    const refused = await garbled('404 Not Found');
    const moved = await garbled('302 Found', `Location: ${origin.url}/ok\r\n`);
    const fine = await garbled('200 OK');
    const keep = flags.includes('--save-all') ? ['--save-dir', await tempDir()] : [];
    const { stdout } = await runInProcess([
      'fetch',
      '--json',
      '--ordered',
      ...flags,
      ...keep,
      refused,
      moved,
      fine,
    ]);
    const records = recordsIn(stdout);
    expect(records).toMatchObject([
      { ok: false, status: 404, attempts: 1, failure: { kind: 'status', message: 'Not Found' } },
      { ok: true, status: 200, redirects: [{ status: 302 }] },
      { ok: false, status: 200, failure: { kind: 'protocol' } },
    ]);
    expect(records[0]?.body).toBeUndefined();
  },
);

test('a gzip body without its end does not hide the status of the response', async () => {
  const empty = Buffer.from('1f8b08000000000000ff', 'hex');
  const head = `HTTP/1.1 410 Gone\r\nContent-Encoding: gzip\r\nContent-Length: ${empty.length}\r\n\r\n`;
  const response = Buffer.concat([Buffer.from(head), empty]);
  const { url } = await running(startRawServer({ onRequest: ({ socket }) => void socket.write(response) }));
  const { stdout } = await runInProcess(['fetch', '--json', url]);
  expect(recordsIn(stdout)).toMatchObject([{ ok: false, status: 410, failure: { kind: 'status' } }]);
});
