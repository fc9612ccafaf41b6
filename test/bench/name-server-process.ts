import { createSocket } from 'node:dgram';

// A name server that costs little, in a process of its own: every name is 127.0.0.1 and has no other address. Started by
// `fork` with the latency in ms; says its port, and for each message how many queries it has had.
const latencyMs = Number(process.argv[2]);
const TYPE_A = 1;
const HEADER_BYTES = 12;
// Name (a pointer to the question), type A, class IN, 60 s, 4 bytes, 127.0.0.1.
const RECORD = Buffer.from('c00c000100010000003c00047f000001', 'hex');

let queries = 0;
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
socket.on('message', (query, peer) => {
  queries += 1;
  const reply = replyTo(query);
  setTimeout(() => socket.send(reply, peer.port, peer.address), latencyMs);
});
socket.bind(0, '127.0.0.1', () => process.send?.(socket.address().port));
process.on('message', () => process.send?.(queries));
process.on('disconnect', () => process.exit());

function replyTo(query: Buffer): Buffer {
  let end = HEADER_BYTES;
  while ((query[end] ?? 0) > 0) end += 1 + (query[end] ?? 0);
  end += 5; // the empty label, type and class
  const isA = query.readUInt16BE(end - 4) === TYPE_A;
  const reply = Buffer.concat([query.subarray(0, end), isA ? RECORD : Buffer.alloc(0)]);
  reply.writeUInt16BE(0x8180, 2); // an answer without an error
  reply.writeUInt16BE(isA ? 1 : 0, 6);
  reply.writeUInt32BE(0, 8);
  return reply;
}
