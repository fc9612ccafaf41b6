import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { webModels } from './web.ts';

// The small web of the benchmark, in a process of its own: one server on every address of 127.0.0.0/8, where each address is a
// host with a character of its own. Started by `fork` with a seed; says its port, and for each message what it has counted.

const names = [...webModels(Number(process.argv[2])).entries()];
const hosts = names.map(([name, model]) => ({
  name,
  model,
  inFlight: 0,
  isDead: /^(hanging|resetting)/.test(name),
}));
const counts = { requests: 0, pushBacks: 0 };
const startedAt = performance.now();

function respond(request: IncomingMessage, response: ServerResponse): void {
  const [, , high = 0, low = 0] = (request.socket.localAddress ?? '').split('.').map(Number);
  const host = hosts[high * 256 + low];
  if (host === undefined) {
    response.writeHead(404).end();
    return;
  }
  if (!host.isDead) counts.requests += 1;
  const reply = host.model(performance.now() - startedAt, host.inFlight + 1, request.url ?? '');
  const { status, retryAfterS, failure } = reply ?? {};
  const isServed = status === undefined && failure === undefined;
  if (isServed) {
    host.inFlight += 1;
    response.once('close', () => {
      host.inFlight -= 1;
    });
  } else if (!host.isDead) counts.pushBacks += 1;
  if (reply === undefined) return;
  setTimeout(() => {
    if (failure !== undefined) {
      request.socket.resetAndDestroy();
      return;
    }
    if (retryAfterS !== undefined) response.setHeader('retry-after', retryAfterS);
    response.statusCode = status ?? 200;
    response.end('ok\n');
  }, reply.afterMs);
}

const server = createServer(respond).listen({ host: '0.0.0.0', port: 0, backlog: 4096 }, () => {
  const address = server.address();
  process.send?.(address === null || typeof address === 'string' ? 0 : address.port);
});
process.on('message', () => process.send?.(counts));
process.on('disconnect', () => process.exit());
