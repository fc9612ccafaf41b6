import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { filler } from './filler.ts';

const TEXT = filler(300);

function answer(status: string, headers: readonly string[], body: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${[...headers, '', ''].join('\r\n')}`), body]);
}

function sized(status: string, headers: readonly string[], body: Uint8Array): Buffer {
  return answer(status, [...headers, `Content-Length: ${body.length}`], body);
}

function chunked(headers: readonly string[], body: Uint8Array, trailers = ''): Buffer {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += 64) {
    const piece = body.subarray(at, at + 64);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  const end = Buffer.from(`0\r\n${trailers}\r\n`);
  return answer('200 OK', [...headers, 'Transfer-Encoding: chunked'], Buffer.concat([...pieces, end]));
}

/** Correct answers of every framing and coding that a client has to read; no Location leads to another host. */
export const VALID_ANSWERS: readonly Buffer[] = [
  sized('200 OK', ['Content-Type: text/html; charset=utf-8'], TEXT),
  sized(
    '200 OK',
    ['ETag: "a"', 'Accept-Ranges: bytes', 'Set-Cookie: a=b', 'Set-Cookie: c=d'],
    filler(40_000),
  ),
  sized('200 OK', ['Content-Encoding: gzip'], gzipSync(TEXT)),
  sized('200 OK', ['Content-Encoding: br'], brotliCompressSync(TEXT)),
  sized('200 OK', ['Content-Encoding: deflate'], deflateSync(TEXT)),
  sized('200 OK', ['Content-Encoding: gzip, br'], brotliCompressSync(gzipSync(TEXT))),
  sized('200 OK', ['Content-Type: text/plain; charset=utf-16le'], Buffer.from('text', 'utf16le')),
  chunked([], TEXT),
  chunked(['Content-Encoding: gzip'], gzipSync(filler(20_000))),
  chunked(['Trailer: X-Sum'], TEXT, 'X-Sum: 1\r\n'),
  answer('204 No Content', []),
  answer('304 Not Modified', ['Content-Length: 300']),
  sized('301 Moved Permanently', ['Location: /moved?x=1#y'], TEXT),
  sized('307 Temporary Redirect', ['Location: ?again'], Buffer.alloc(0)),
  sized('404 Not Found', ['Server: nobody', 'X-A: b'], TEXT),
  sized('429 Too Many Requests', ['Retry-After: 0'], Buffer.alloc(0)),
  sized('503 Service Unavailable', ['Retry-After: Wed, 21 Oct 2015 07:28:00 GMT'], TEXT),
  sized('206 Partial Content', ['Content-Range: bytes 0-299/300'], TEXT),
  Buffer.concat([answer('100 Continue', []), sized('200 OK', [], TEXT)]),
  Buffer.concat([answer('103 Early Hints', ['Link: </a>; rel=preload']), sized('200 OK', [], TEXT)]),
  Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n'), TEXT]),
  answer('200 OK', ['Connection: close'], TEXT),
];
