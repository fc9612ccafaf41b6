import { filler } from './filler.ts';
import { okAnswer, type Starter, scripted } from './script.ts';

const head = (...headers: string[]): string => ['HTTP/1.1 200 OK', ...headers, '', ''].join('\r\n');

/** Content-Length 1000, 400 bytes, FIN. */
export const truncatedBody: Starter = scripted(
  Buffer.concat([Buffer.from(head('Content-Length: 1000')), filler(400)]),
  'close',
);

/** A chunk of 16 bytes of which 5 come, FIN. */
export const truncatedChunk: Starter = scripted(`${head('Transfer-Encoding: chunked')}10\r\nhello`, 'close');

/** Whole chunks, but FIN instead of the last one. */
export const missingLastChunk: Starter = scripted(
  `${head('Transfer-Encoding: chunked')}5\r\nhello\r\n`,
  'close',
);

/** A chunk size that is no hexadecimal number. */
export const badChunkSize: Starter = scripted(
  `${head('Transfer-Encoding: chunked')}5\r\nhello\r\nzebra\r\nhello\r\n`,
  'keep',
);

/** A chunk size of 17 hexadecimal digits, more than 64 bits hold. */
export const hugeChunkSize: Starter = scripted(
  `${head('Transfer-Encoding: chunked')}fffffffffffffffff\r\nhello\r\n`,
  'keep',
);

/** Correct chunks with a trailer field after them. */
export const trailers: Starter = scripted(
  `${head('Transfer-Encoding: chunked', 'Trailer: X-Sum')}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
  'keep',
);

/** Content-Length twice, with the same value. */
export const duplicateContentLength: Starter = scripted(
  `${head('Content-Length: 5', 'Content-Length: 5')}hello`,
  'keep',
);

/** Content-Length twice, with different values. */
export const mismatchingContentLength: Starter = scripted(
  `${head('Content-Length: 5', 'Content-Length: 6')}hello!`,
  'keep',
);

/** A Content-Length that is no number. */
export const badContentLength: Starter = scripted(`${head('Content-Length: five')}hello`, 'keep');

/** A negative Content-Length. */
export const negativeContentLength: Starter = scripted(`${head('Content-Length: -5')}hello`, 'keep');

/** Content-Length and Transfer-Encoding together: the seed of response smuggling. */
export const lengthAndChunked: Starter = scripted(
  `${head('Content-Length: 5', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  'keep',
);

/** 204 that announces a body and rightly sends none. */
export const noContentWithLength: Starter = scripted(
  'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  'keep',
);

/** 204 that announces a body and sends it. */
export const noContentWithBody: Starter = scripted(
  'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello',
  'keep',
);

/** 304 with the Content-Length of the body it does not send, as RFC 9110 §8.6 allows. */
export const notModifiedWithLength: Starter = scripted(
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'keep',
);

/** The same, with the connection closed behind it. */
export const notModifiedWithLengthAndClose: Starter = scripted(
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'close',
);

/** Seven bytes after a body of Content-Length 5. */
export const extraBytes: Starter = scripted(`${head('Content-Length: 5')}hellogarbage`, 'keep');

/** A second whole answer that nobody asked for. */
export const secondAnswer: Starter = scripted(okAnswer('first') + okAnswer('second'), 'keep');

/** HTTP/1.0 without a length: the body ends with the connection. */
export const http10WithoutLength: Starter = scripted(
  'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello',
  'close',
);

/** HTTP/1.1 without a length: the body ends with the connection, too. */
export const http11WithoutLength: Starter = scripted(
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello',
  'close',
);
