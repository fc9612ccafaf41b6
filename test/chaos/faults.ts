import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { Part } from './part.ts';
import type { World } from './world.ts';

/** Something that is done to a run. Resolves to what it was. */
type Fault = (world: World, random: () => number) => Promise<string>;

/** A pause in which nothing is awaited: how long something is away. */
function away(random: () => number, mostMs: number): Promise<void> {
  return pause(random() * mostMs);
}

function oneOf<T>(things: readonly T[], random: () => number): T {
  const thing = things[Math.floor(random() * things.length)];
  if (thing === undefined) throw new RangeError('There is nothing to choose from');
  return thing;
}

/** A part that runs. */
function victim({ parts }: World, random: () => number): Part {
  return oneOf(
    parts.filter(({ isRunning }) => isRunning),
    random,
  );
}

/** Lets the processes of the broker go away and come back. */
async function restartBrokers(world: World, random: () => number): Promise<string> {
  const signal = oneOf(['SIGKILL', 'SIGTERM'] as const, random);
  for (const broker of world.brokers) await broker.kill(signal);
  await away(random, 2000);
  await Promise.all(world.brokers.map((broker) => broker.start()));
  return `restart broker (${signal})`;
}

/** Kills the server that leads one of the streams; the other two go on. */
async function loseLeader(world: World, random: () => number): Promise<string> {
  const servers = world.brokers.map(({ port }) => `127.0.0.1:${port}`);
  const connection = await connect({ servers });
  const led: string[] = [];
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    for await (const { config, cluster } of manager.streams.list()) {
      if (cluster?.leader) led.push(`${config.name} ${cluster.leader}`);
    }
  } finally {
    await connection.close();
  }
  const [stream = '', leader = ''] = oneOf(led.sort(), random).split(' ');
  const broker = world.brokers[Number(leader.slice(1))];
  await broker?.kill();
  await pause(1000 + random() * 3000);
  await broker?.start();
  return `lose leader of ${stream.replace(/_.*_/, ' ')}`;
}

/** Waits until a process reports that the store is full, and gives it more space. */
async function fillStore(world: World): Promise<string> {
  world.origin.allow(world.plan.urls);
  await Promise.any(world.parts.map((part) => part.says('Its store is full')));
  await world.enlargeStore();
  for (const broker of world.brokers) await broker.kill('SIGTERM');
  for (const broker of world.brokers) await broker.start();
  return 'fill store, enlarge it';
}

/** Deletes everything that the broker has, or in a cluster the store of one server. */
async function wipe(world: World, random: () => number): Promise<string> {
  const { brokers } = world;
  const broker = oneOf(brokers, random);
  await broker.lose();
  await away(random, 1000);
  await broker.start();
  return brokers.length === 1 ? 'wipe store' : `wipe store of server ${brokers.indexOf(broker) + 1}`;
}

export const FAULTS = {
  kill: async (world, random) => {
    const part = victim(world, random);
    await part.end();
    await away(random, 500);
    part.startAs();
    return `kill ${part.name}`;
  },
  drain: async (world, random) => {
    const worker = oneOf(world.workers, random);
    await worker.end('SIGTERM');
    worker.startAs();
    return `drain ${worker.name}`;
  },
  suspend: async (world, random) => {
    const part = victim(world, random);
    await part.suspend((1.2 + random()) * world.plan.ackWaitMs);
    return `suspend ${part.name}`;
  },
  restart: restartBrokers,
  hang: async (world, random) => {
    const broker = oneOf(world.brokers, random);
    broker.hang();
    await away(random, 3 * world.plan.ackWaitMs);
    broker.resume();
    return 'suspend broker';
  },
  leader: loseLeader,
  full: fillStore,
  wipe,
  collector: async (world, random) => {
    const { collector } = world;
    await collector.end();
    await rm(collector.cwd, { recursive: true });
    await away(random, 500);
    collector.startAs({ cwd: await world.freshDirectory() });
    return 'lose collector, start another';
  },
  collectors: async (world) => {
    await world.addCollector();
    return 'add a collector';
  },
  versions: async (world, random) => {
    const bin = await world.newerProgram();
    world.upgrade(bin);
    const parts = world.parts
      .filter(({ isRunning }) => isRunning)
      .map((part) => ({ part, place: random() }))
      .toSorted((a, b) => a.place - b.place);
    for (const { part } of parts) {
      await part.end(oneOf(['SIGKILL', 'SIGTERM'] as const, random));
      part.startAs({ bin });
      await away(random, 1000);
    }
    return `upgrade ${parts.map(({ part }) => part.name).join(', ')}`;
  },
} satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

// The keys of the table.
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
