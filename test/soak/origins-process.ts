import * as hostile from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';

// The origins of a soak but for nginx, in a process of their own. Started by `fork`; says where they are, and ends with
// its parent.
const origin = await startOrigin({ host: '0.0.0.0', logLimit: 0 });
const { refusedPort, ...starters } = hostile;
const servers = await Promise.all(Object.values(starters).map((start) => start()));
const { port } = await refusedPort();
process.on('disconnect', () => process.exit());
process.send?.({ originPort: origin.port, refusedPort: port, hostile: servers.map(({ url }) => url) });
