import { type RawServer, startRawServer } from './raw-server.ts';
import { okAnswer, type Starter } from './script.ts';

const START = '/start/here';

/**
 * A starter of servers that answer `/start/here` (and `/`) with a 302 whose head holds these lines, byte for byte, and every
 * other path with 200 and the request target as its body, so that a test sees where the client went.
 */
function redirecting(lines: (server: { url: string; port: number }) => string): Starter {
  return async (options) => {
    let self: RawServer | undefined;
    const server = await startRawServer(
      {
        onRequest: ({ socket, target }) => {
          const first = target === '/' || target === START;
          const found = `HTTP/1.1 302 Found\r\nContent-Length: 0\r\n${self ? lines(self) : ''}\r\n`;
          socket.write(first ? found : okAnswer(target), 'latin1');
        },
      },
      options,
    );
    self = server;
    return { ...server, url: server.url + START };
  };
}

const to = (location: string): Starter => redirecting(() => `Location: ${location}\r\n`);
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

/** `/café` as raw UTF-8. */
export const utf8Location: Starter = to(utf8('/café'));
/** `/café` as raw latin1, which is no valid UTF-8. */
export const latin1Location: Starter = to('/caf\u00e9');
/** Spaces inside. */
export const spaceLocation: Starter = to('/a b c');
/** Spaces and a tab around. */
export const paddedLocation: Starter = to('  \t/padded \t');
/** A tab inside, which the URL standard removes. */
export const tabLocation: Starter = to('/a\tb');
/** A control character inside. */
export const controlLocation: Starter = to('/a\u0001b');
/** An escape sequence inside. */
export const escapeLocation: Starter = to('/\u001b[31mred');
/** `//host/path`: the scheme is missing. */
export const schemeRelativeLocation: Starter = redirecting(
  ({ url }) => `Location: ${new URL('/elsewhere', url).href.slice('http:'.length)}\r\n`,
);
/** `host.invalid/path`: a path, though it looks like a host. */
export const bareHostLocation: Starter = to('host.invalid/path');
/** `next`, beside the current path. */
export const relativeLocation: Starter = to('next');
/** `../up`, one level higher. */
export const parentLocation: Starter = to('../up');
/** `?q=1`: the same path with a query. */
export const queryLocation: Starter = to('?q=1');
/** `#part`: the same URL. It redirects for ever. */
export const fragmentLocation: Starter = to('#part');
/** `/other#part`: a fragment, which is not sent. */
export const fragmentOnOtherLocation: Starter = to('/other#part');
/** A backslash, which the URL standard reads as a slash. */
export const backslashLocation: Starter = to('\\other\\path');
/** An absolute URL in capitals. */
export const capitalLocation: Starter = redirecting(
  ({ port }) => `LOCATION: HTTP://127.0.0.1:${port}/other\r\n`,
);
/** A URL with a name and a password in it. */
export const credentialsLocation: Starter = redirecting(
  ({ port }) => `Location: http://user:hunter2@127.0.0.1:${port}/other\r\n`,
);
/** `javascript:`. */
export const javascriptLocation: Starter = to('javascript:alert(1)');
/** `ftp:`. */
export const ftpLocation: Starter = to('ftp://127.0.0.1/file');
/** `file:`. */
export const fileLocation: Starter = to('file:///etc/passwd');
/** `data:`. */
export const dataLocation: Starter = to('data:text/plain,hello');
/** A port that cannot be. */
export const badPortLocation: Starter = to('http://127.0.0.1:99999/');
/** A scheme and nothing else. */
export const noHostLocation: Starter = to('http://');
/** An empty Location. */
export const emptyLocation: Starter = to('');
/** No Location at all. */
export const missingLocation: Starter = redirecting(() => '');
/** Two Locations that differ. */
export const twoLocations: Starter = redirecting(() => 'Location: /one\r\nLocation: /two\r\n');
/** A Location of 20,000 characters. */
export const longLocation: Starter = to(`/${'l'.repeat(20_000)}`);
