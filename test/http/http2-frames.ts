import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { serverCertificate } from '../origin/certificates.ts';
import { listen } from '../origin/listen.ts';

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const HEADERS = 1;

/** Frames of HTTP/2 (RFC 9113, 6) on the stream with this number. */
export const frames = {
  /** The head of a response with status 200 and nothing else. */
  ok: (id: number) => frame(HEADERS, 0x4, id, Buffer.from([0x88])),
  data: (id: number, bytes: number) => frame(0, 0, id, Buffer.alloc(bytes, 'x')),
  lastData: (id: number, bytes: number) => frame(0, 0x1, id, Buffer.alloc(bytes, 'x')),
  trailers: (id: number) => frame(HEADERS, 0x5, id, Buffer.from([0x00, 1, 0x78, 1, 0x79])), // x: y
  reset: (id: number, code: number) => frame(3, 0, id, number(code)),
  /** The last stream that gets a response. */
  goAway: (id: number) => frame(7, 0, 0, Buffer.concat([number(id), number(0)])),
  unknownStream: () => frame(0, 0, 99, Buffer.alloc(1)),
};

/** Starts a server that sends these frames, or other bytes, for the head of each request. Resolves to its URL. */
export async function startHttp2Frames(response: (id: number) => readonly Buffer[]): Promise<string> {
  const server = createServer({ ...(await serverCertificate()), ALPNProtocols: ['h2'] }, (socket) => {
    let unread: Buffer = Buffer.alloc(0);
    let hasPreface = false;
    socket.on('error', () => {});
    socket.write(frame(4, 0, 0, Buffer.alloc(0))); // SETTINGS
    socket.on('data', (bytes: Buffer) => {
      unread = Buffer.concat([unread, bytes]);
      if (!hasPreface && unread.length >= PREFACE_BYTES) {
        unread = unread.subarray(PREFACE_BYTES);
        hasPreface = true;
      }
      while (hasPreface && unread.length >= HEAD_BYTES) {
        const size = HEAD_BYTES + unread.readUIntBE(0, 3);
        if (unread.length < size) return;
        if (unread[3] === HEADERS) socket.write(Buffer.concat(response(unread.readUInt32BE(5))));
        unread = unread.subarray(size);
      }
    });
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return `https://${listening.authority}`;
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
