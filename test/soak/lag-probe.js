// Loaded into the program by --import: tells its parent once a second how long the event loop was kept from its timers.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const EVERY_MS = 1000;

const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();
process.channel?.unref();
setInterval(() => {
  const toMs = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  process.send?.({ p99: toMs(histogram.percentile(99)), max: toMs(histogram.max) });
  histogram.reset();
}, EVERY_MS).unref();
