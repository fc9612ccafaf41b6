import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { filler } from './filler.ts';
import { answer, type Route, whole } from './route.ts';

const MAX_BYTES = 100_000_000;

/** Bytes that `/gzip-bomb` decodes to. */
export const BOMB_BYTES = 100_000_000;

let bomb: Buffer | undefined;

function encoded(coding: string, body: (bytes: number) => Buffer): Route {
  return ({ response, args }) => {
    const bytes = args[0] === undefined ? 1000 : whole(args[0], 0, MAX_BYTES);
    response.setHeader('content-encoding', coding);
    answer(response, 200, body(bytes));
  };
}

/** Routes whose bodies are compressed, rightly or wrongly. */
export const encodedRoutes: Readonly<Record<string, Route>> = {
  gzip: encoded('gzip', (bytes) => gzipSync(filler(bytes))),
  brotli: encoded('br', (bytes) => brotliCompressSync(filler(bytes))),
  deflate: encoded('deflate', (bytes) => deflateSync(filler(bytes))),
  'gzip-bomb': encoded('gzip', () => {
    bomb ??= gzipSync(Buffer.alloc(BOMB_BYTES), { level: 9 }); // made once: it takes a third of a second
    return bomb;
  }),
  'gzip-truncated': encoded('gzip', (bytes) => {
    const whole = gzipSync(filler(bytes));
    return whole.subarray(0, Math.floor(whole.length / 2));
  }),
  'gzip-garbage': encoded('gzip', (bytes) => filler(bytes)),
};
