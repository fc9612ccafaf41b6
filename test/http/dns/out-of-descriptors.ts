import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { diagnoseConnectError } from '../../../src/http/connector.ts';
import { NameLookup, readHostsFile, SystemResolver } from '../../../src/http/dns/lookup.ts';
import { NameServers } from '../../../src/http/dns/name-servers.ts';
import { ConnectError } from '../../../src/http/network-errors.ts';

// A test runs this as a process of its own. It prints in JSON how operations fail when no file can be opened.
const lookup = new NameLookup({
  now: () => performance.now(),
  readHosts: async () => new Map(),
  servers: new NameServers({ servers: ['127.0.0.1:9'], families: 'ipv4', firstTryMs: 10 }),
  system: new SystemResolver(undefined),
  monitor: { record: () => {} },
});
const held: number[] = [];
// The loader of this script still closes files for a while: hold descriptors until 100 turns have freed none.
for (let turns = 0; turns < 100; turns += 1) {
  const freed = holdAll();
  held.push(...freed);
  if (freed.length > 0) turns = 0;
  await new Promise((resolve) => setTimeout(resolve, 2));
}
const outcomes = {
  connect: await withoutAny(() => connectDirectly()),
  'hosts file': await withoutAny(() => readHostsFile()),
  'name of the name servers': await withoutAny(() => lookup.lookUp('name.of.no.one.test')),
  'name of the system': await withoutAny(() => lookup.lookUp('nameofnoone')),
};
for (const descriptor of held) closeSync(descriptor);
console.log(
  JSON.stringify({ ...outcomes, 'unknown name afterwards': await refusal(lookup.lookUp('nothing.invalid')) }),
);

/** How an operation fails when no descriptor is left. One that is closed meanwhile is taken at once. */
async function withoutAny(start: () => Promise<unknown>): Promise<string> {
  const hold = () => held.push(...holdAll());
  hold();
  const holding = setInterval(hold, 1);
  const outcomes = await refusal(start());
  clearInterval(holding);
  return outcomes;
}

function holdAll(): number[] {
  const descriptors: number[] = [];
  for (;;) {
    try {
      descriptors.push(openSync('/dev/null', 'r'));
    } catch {
      return descriptors;
    }
  }
}

function connectDirectly(): Promise<never> {
  return new Promise((_, reject) => {
    connect(9, '127.0.0.1').once('error', (error: Error & { code?: string }) => {
      diagnoseConnectError(new ConnectError('connect', error.code, error.message), '127.0.0.1', reject);
    });
  });
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    return `no refusal but ${JSON.stringify(await promise)}`;
  } catch (error) {
    const { name, code } = error as Error & { code?: string };
    return `${name} ${code}`;
  }
}
