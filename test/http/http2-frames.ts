import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { serverCertificate } from '../origin/certificates.ts';
import { type Listening, listen } from '../origin/listen.ts';

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const HEADERS = 1;
const PING = 6;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const STATUS_200 = 0x88; // of the static table (RFC 7541, appendix A)

/** Frames of HTTP/2 (RFC 9113, 6) on the stream with this number. */
export const frames = {
  /** Any frame, right or wrong. */
  any: frame,
  /** The head of a response with status 200 and nothing else. */
  ok: (id: number) => frame(HEADERS, END_HEADERS, id, Buffer.from([STATUS_200])),
  data: (id: number, bytes: number) => frame(0, 0, id, Buffer.alloc(bytes, 'x')),
  lastData: (id: number, bytes: number) => frame(0, 0x1, id, Buffer.alloc(bytes, 'x')),
  trailers: (id: number) => frame(HEADERS, 0x5, id, Buffer.from([0x00, 1, 0x78, 1, 0x79])), // x: y
  reset: (id: number, code: number) => frame(3, 0, id, number(code)),
  /** The whole response: a head with status 200 and these headers, of up to 126 bytes each. */
  head: (id: number, headers: Readonly<Record<string, string>>, flags = END_HEADERS | END_STREAM) => {
    const fields = Object.entries(headers).map(([name, value]) => literal(name, value));
    return frame(HEADERS, flags, id, Buffer.concat([Buffer.from([STATUS_200]), ...fields]));
  },
  /** Headers without any status. */
  fields: (id: number, headers: Readonly<Record<string, string>>, flags = END_HEADERS | END_STREAM) =>
    frame(HEADERS, flags, id, Buffer.concat(Object.entries(headers).map((field) => literal(...field)))),
  /** The last stream that gets a response. */
  goAway: (id: number, code = 0) => frame(7, 0, 0, Buffer.concat([number(id), number(code)])),
  unknownStream: () => frame(0, 0, 99, Buffer.alloc(1)),
};

/** A server that leaves every connection open, by default also when the client has closed its side. */
export interface FrameServer extends Pick<Listening, 'accepted' | 'ended'> {
  readonly url: string;
}

/** Starts a server that sends these frames, or other bytes, for the head of each request, which has so many bytes. */
export async function startHttp2Frames(
  response: (id: number, socket: Socket, bytes: number) => readonly Buffer[],
  { allowHalfOpen = true } = {},
): Promise<FrameServer> {
  const options = { ...(await serverCertificate()), ALPNProtocols: ['h2'], allowHalfOpen };
  const server = createServer(options, (socket) => {
    let unread: Buffer = Buffer.alloc(0);
    let hasPreface = false;
    socket.on('error', () => {});
    if (allowHalfOpen) socket.on('end', () => writeUntilReset(socket));
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
        if (unread[3] === HEADERS) {
          socket.write(Buffer.concat(response(unread.readUInt32BE(5), socket, size)));
        }
        unread = unread.subarray(size);
      }
    });
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  const { accepted, ended, authority } = listening;
  return { url: `https://${authority}`, accepted, ended };
}

/** Closes this side only when the client has closed its socket, not just its side of the connection. */
function writeUntilReset(socket: Socket): void {
  socket.write(frame(PING, 0, 0, Buffer.alloc(8)), (error) => {
    if (error) socket.destroy();
    else setTimeout(writeUntilReset, 5, socket);
  });
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

/** A header field that is not in any table, in plain text (RFC 7541, 6.2.2). */
function literal(name: string, value: string): Buffer {
  const text = (bytes: string) => [Buffer.from([bytes.length]), Buffer.from(bytes, 'latin1')];
  return Buffer.concat([Buffer.from([0]), ...text(name), ...text(value)]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
