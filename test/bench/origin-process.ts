import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from '../origin/listen.ts';
import { startOrigin } from '../origin/origin.ts';

// The slow origins of the benchmark, in a process of its own. Every address of 127.0.0.0/8 leads to the first one, whose
// routes are those of the tests. The second one answers after 100 ms, and 429 to what is above four at once. Started by
// `fork`; says both ports, and for each message how many requests the second one has had and refused.
const MAX_AT_ONCE = 4;
const ANSWER_MS = 100;

const counts = { requests: 0, refused: 0 };
let inFlight = 0;
const limited = createServer(async (_, response) => {
  counts.requests += 1;
  if (inFlight === MAX_AT_ONCE) {
    counts.refused += 1;
    response.writeHead(429).end();
    return;
  }
  inFlight += 1;
  await sleep(ANSWER_MS);
  inFlight -= 1;
  response.end('ok\n');
});

const slow = await startOrigin({ host: '0.0.0.0', logLimit: 0 });
const { port } = await listen(limited);
process.on('message', () => process.send?.(counts));
process.on('disconnect', () => process.exit());
process.send?.({ slowPort: slow.port, limitedPort: port });
