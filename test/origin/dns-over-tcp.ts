import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

type Answer = (message: Buffer, isUdp: boolean, send: (reply: Buffer) => void) => void;

/** Answers queries over TCP, where two bytes of length stand before each message. */
export async function startDnsOverTcp(at: ListenOptions, answer: Answer): Promise<Server> {
  const server = createServer((socket) => {
    let pending = Buffer.alloc(0);
    socket.unref();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        answer(pending.subarray(2, end), false, (reply) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        });
        pending = pending.subarray(end);
      }
    });
  });
  server.listen(at);
  await once(server, 'listening');
  return server;
}
