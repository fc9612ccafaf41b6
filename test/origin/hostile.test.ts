import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { filler } from './filler.ts';
import * as hostile from './hostile.ts';
import type { RawServer } from './raw-server.ts';
import { okAnswer, type Starter } from './script.ts';
import { type Talk, talk } from './talk.ts';

const { refusedPort, ...starters } = hostile;
type Name = keyof typeof starters;

/** What a GET gets on the wire: these bytes in front (or this pattern), and then this. `open` is no end at all. */
type Wire = readonly [bytes: string | RegExp, then: 'fin' | 'reset' | 'open'];

const OK = 'HTTP/1.1 200 OK\r\n';
const odd = (line: string, header = ''): string => `${line}\r\nContent-Length: 2\r\n${header}\r\nok`;
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const found = (lines: string): string => `HTTP/1.1 302 Found\r\nContent-Length: 0\r\n${lines}\r\n`;
const to = (location: string): Wire => [found(`Location: ${location}\r\n`), 'open'];
const chunked = (chunks: string): string => `${OK}Transfer-Encoding: chunked\r\n\r\n${chunks}`;

const WIRE: Readonly<Record<Name, Wire>> = {
  resetBeforeAnswer: ['', 'reset'],
  resetOnAccept: ['', 'reset'],
  resetInBody: [`${OK}Content-Length: 10000\r\n\r\n${filler(1000)}`, 'reset'],
  closeWithoutAnswer: ['', 'fin'],
  hangAfterAccept: ['', 'open'],
  dripBody: [/^HTTP\/1\.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\.\.\./, 'open'],
  dripHead: [/^HTTP\/1\.1 200 OK\r\nX-Slow: aaa/, 'open'],
  endlessHeader: [/^HTTP\/1\.1 200 OK\r\n(X-More: m{1000}\r\n){200}/, 'open'],
  endlessBody: [
    /^HTTP\/1\.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n(10000\r\n\.{65536}\r\n){20}/,
    'open',
  ],
  keepAliveRace: [okAnswer(), 'open'],
  keepAliveReset: [okAnswer(), 'open'],
  closeAfterAnswer: [okAnswer(), 'fin'],
  finAfterLargeBody: [`${OK}Content-Length: 262144\r\nConnection: close\r\n\r\n${filler(262_144)}`, 'fin'],

  truncatedBody: [`${OK}Content-Length: 1000\r\n\r\n${filler(400)}`, 'fin'],
  truncatedChunk: [chunked('10\r\nhello'), 'fin'],
  missingLastChunk: [chunked('5\r\nhello\r\n'), 'fin'],
  badChunkSize: [chunked('5\r\nhello\r\nzebra\r\nhello\r\n'), 'open'],
  hugeChunkSize: [chunked('fffffffffffffffff\r\nhello\r\n'), 'open'],
  trailers: [
    `${OK}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
    'open',
  ],
  duplicateContentLength: [`${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 'open'],
  mismatchingContentLength: [`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, 'open'],
  badContentLength: [`${OK}Content-Length: five\r\n\r\nhello`, 'open'],
  negativeContentLength: [`${OK}Content-Length: -5\r\n\r\nhello`, 'open'],
  lengthAndChunked: [
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    'open',
  ],
  noContentWithLength: ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', 'open'],
  noContentWithBody: ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', 'open'],
  notModifiedWithLength: ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'open'],
  notModifiedWithLengthAndClose: ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'fin'],
  extraBytes: [`${OK}Content-Length: 5\r\n\r\nhellogarbage`, 'open'],
  secondAnswer: [`${okAnswer('first')}${okAnswer('second')}`, 'open'],
  http10WithoutLength: ['HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello', 'fin'],
  http11WithoutLength: [`${OK}Content-Type: text/plain\r\n\r\nhello`, 'fin'],

  sshBanner: ['SSH-2.0-OpenSSH_9.6\r\n', 'open'],
  binaryGarbage: ['\x00\x01\xfe\xff\x80\x90\r\n\r\n\x00', 'open'],
  oversizedHeader: [/^HTTP\/1\.1 200 OK\r\nContent-Length: 2\r\nX-Large: l{70000}\r\n\r\nok$/, 'open'],
  largeHeader: [/^HTTP\/1\.1 200 OK\r\nContent-Length: 2\r\nX-Large: l{20000}\r\n\r\nok$/, 'open'],
  http09Body: ['<html>hello</html>\n', 'fin'],
  http09StatusLine: [odd('HTTP/0.9 200 OK'), 'open'],
  http12StatusLine: [odd('HTTP/1.2 200 OK'), 'open'],
  lowerCaseProtocol: [odd('http/1.1 200 OK'), 'open'],
  status1000: [odd('HTTP/1.1 1000 Too Much'), 'open'],
  status99: [odd('HTTP/1.1 99 Too Little'), 'open'],
  status099: [odd('HTTP/1.1 099 Too Little'), 'open'],
  status999: [odd('HTTP/1.1 999 Request Denied'), 'open'],
  noReason: [odd('HTTP/1.1 200'), 'open'],
  continueFirst: [`HTTP/1.1 100 Continue\r\n\r\n${okAnswer()}`, 'open'],
  processingFirst: [`HTTP/1.1 102 Processing\r\n\r\n${okAnswer()}`, 'open'],
  earlyHintsFirst: [
    `HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n${okAnswer()}`,
    'open',
  ],
  unsolicitedUpgrade: [
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    'open',
  ],
  bareLf: ['HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 'open'],
  bareCr: [odd('HTTP/1.1 200 OK', 'X-Odd: a\rb\r\n'), 'open'],
  foldedHeader: [odd('HTTP/1.1 200 OK', 'X-Odd: a\r\n b\r\n'), 'open'],
  spaceBeforeColon: [odd('HTTP/1.1 200 OK', 'X-Odd : a\r\n'), 'open'],
  headerWithoutColon: [odd('HTTP/1.1 200 OK', 'X-Odd\r\n'), 'open'],
  nulInHeader: [odd('HTTP/1.1 200 OK', 'X-Odd: a\x00b\r\n'), 'open'],
  utf8Header: [odd('HTTP/1.1 200 OK', `X-Odd: ${utf8('café')}\r\n`), 'open'],
  escapeInReason: [odd('HTTP/1.1 404 \x1b[31mRed\x1b[0m\x1b]0;title\x07'), 'open'],
  utf8Reason: [odd(`HTTP/1.1 404 ${utf8('Não')}`), 'open'],
  escapeInContentType: [odd('HTTP/1.1 200 OK', 'Content-Type: text/\x1b[31mplain\r\n'), 'open'],

  utf8Location: to('/caf\xc3\xa9'),
  latin1Location: to('/caf\xe9'),
  spaceLocation: to('/a b c'),
  paddedLocation: to('  \t/padded \t'),
  tabLocation: to('/a\tb'),
  controlLocation: to('/a\x01b'),
  escapeLocation: to('/\x1b[31mred'),
  schemeRelativeLocation: [/\r\nLocation: \/\/127\.0\.0\.1:\d+\/elsewhere\r\n\r\n$/, 'open'],
  bareHostLocation: to('host.invalid/path'),
  relativeLocation: to('next'),
  parentLocation: to('../up'),
  queryLocation: to('?q=1'),
  fragmentLocation: to('#part'),
  fragmentOnOtherLocation: to('/other#part'),
  backslashLocation: to('\\other\\path'),
  capitalLocation: [/\r\nLOCATION: HTTP:\/\/127\.0\.0\.1:\d+\/other\r\n\r\n$/, 'open'],
  credentialsLocation: [/\r\nLocation: http:\/\/user:hunter2@127\.0\.0\.1:\d+\/other\r\n\r\n$/, 'open'],
  javascriptLocation: to('javascript:alert(1)'),
  ftpLocation: to('ftp://127.0.0.1/file'),
  fileLocation: to('file:///etc/passwd'),
  dataLocation: to('data:text/plain,hello'),
  badPortLocation: to('http://127.0.0.1:99999/'),
  noHostLocation: to('http://'),
  emptyLocation: to(''),
  missingLocation: [found(''), 'open'],
  twoLocations: [found('Location: /one\r\nLocation: /two\r\n'), 'open'],
  longLocation: to(`/${'l'.repeat(20_000)}`),
};

async function start(starter: Starter): Promise<RawServer> {
  const server = await starter();
  onTestFinished(() => server.close());
  return server;
}

/** Reads until the server ends the talk; when it does not, until all bytes that are awaited have come. */
function hear(server: RawServer, [bytes, then]: Wire): Promise<Talk> {
  if (then !== 'open') return talk(server);
  const enough = (text: string): boolean =>
    typeof bytes === 'string' ? text.length >= bytes.length : bytes.test(text);
  return talk(server, { enough });
}

describe('a hostile server', () => {
  const silent = new Set<string>(['hangAfterAccept']);
  const entries = Object.entries(WIRE).filter(([name]) => !silent.has(name));

  test.each(entries)('%s sends the bytes it promises', async (name, wire) => {
    // Object.entries() forgets the key type of the record
    const server = await start(starters[name as Name]);
    const heard = await hear(server, wire);
    if (typeof wire[0] === 'string') expect(heard.text).toBe(wire[0]);
    else expect(heard.text).toMatch(wire[0]);
    expect(heard.end).toBe(wire[1] === 'open' ? 'enough' : wire[1]);
  });

  test('refusedPort() names a port that refuses', async () => {
    const refused = await refusedPort();
    await expect(talk(refused)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('hangAfterAccept() takes the request and still says nothing when it is closed', async () => {
    const server = await start(starters.hangAfterAccept);
    const heard = talk(server);
    await server.requests.reached(1);
    await server.close();
    expect((await heard).text).toBe('');
  });

  test('a server that answers and stays open leaves room for a second request', async () => {
    const server = await start(starters.noReason);
    const send = 'GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n';
    await talk(server, { send, enough: (text) => text.split('ok').length > 2 });
    expect(server.heads).toEqual(['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1']);
    expect(server.accepted.count).toBe(1);
  });

  test.each([
    ['keepAliveRace', 'fin'],
    ['keepAliveReset', 'reset'],
  ] as const)(
    '%s answers the first request of a connection and ends it (%s) at the second',
    async (name, end) => {
      const server = await start(starters[name]);
      const socket = connect(server.port, server.host);
      const ended = new Promise((resolve) => {
        socket.once('end', () => resolve('fin'));
        socket.once('error', () => resolve('reset'));
      });
      socket.write('GET /1 HTTP/1.1\r\n\r\n');
      const [first] = await once(socket, 'data');
      socket.write('GET /2 HTTP/1.1\r\n\r\n');
      expect(await ended).toBe(end);
      socket.destroy();
      expect(String(first)).toBe(okAnswer());
      const fresh = await talk(server, { enough: (text) => text.endsWith('ok') });
      expect(fresh.text).toBe(okAnswer());
      expect(server.accepted.count).toBe(2);
    },
  );

  test.each(['dripBody', 'dripHead', 'endlessHeader', 'endlessBody'] as const)(
    '%s stops when the client leaves',
    async (name) => {
      const server = await start(starters[name]);
      await hear(server, WIRE[name]);
      await server.ended.reached(1);
    },
  );

  test.each(['dripBody', 'endlessBody', 'hangAfterAccept'] as const)(
    '%s ends open connections when it is closed',
    async (name) => {
      const server = await start(starters[name]);
      const heard = talk(server);
      await server.requests.reached(1);
      await server.close();
      await heard;
      await expect(talk(server)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    },
  );

  test('a redirecting server answers every other path with the path itself', async () => {
    const server = await start(starters.relativeLocation);
    expect(new URL(server.url).pathname).toBe('/start/here');
    const send = 'GET /start/next?a=b HTTP/1.1\r\n\r\n';
    const heard = await talk(server, { send, enough: (text) => text.includes('\r\n\r\n') });
    expect(heard.text).toBe(okAnswer('/start/next?a=b'));
  });
});
