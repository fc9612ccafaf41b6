import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { FetchingThread } from './fetching-thread.ts';
import type { ThreadSetup, ToThread } from './messages.ts';

// The entry of a fetching thread, started by `ThreadBackend`.
Error.stackTraceLimit = 1; // as in the thread that started it
const port = parentPort;
if (port === null) throw new Error('Cannot run this file by itself: it is for a thread of fanout');
const thread = new FetchingThread({
  setup: workerData as ThreadSetup, // from this process, so of this version
  clock: systemClock,
  random: Math.random,
  post: (report) => port.postMessage(report),
});
port.on('message', (message: ToThread) => thread.receive(message));
await thread.run();
port.close();
