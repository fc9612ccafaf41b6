import { createSecureServer } from 'node:http2';
import { serverCertificate } from '../origin/certificates.ts';

// An HTTP/2 origin that allows 100 streams and takes 50 ms for each response, in a process of its own. Started by `fork`; says
// its port.

const STREAMS = 100;
const LATENCY_MS = 50;

const { cert, key } = await serverCertificate();
const server = createSecureServer({
  cert,
  key,
  allowHTTP1: false,
  settings: { maxConcurrentStreams: STREAMS },
});
server.on('stream', (stream) => {
  stream.on('error', () => {}); // the client has gone
  setTimeout(() => {
    if (stream.destroyed) return;
    stream.respond({ ':status': 200 });
    stream.end('ok\n');
  }, LATENCY_MS);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(address === null || typeof address === 'string' ? 0 : address.port);
});
process.on('disconnect', () => process.exit());
