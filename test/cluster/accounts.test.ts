import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { aDeployCopy, type DeployCopy, ROLES, type Role } from '../docs/deploy-files.ts';
import { clientCertificate, serverCertificate, testCa } from '../origin/certificates.ts';
import type { CliResult } from '../origin/run-cli.ts';
import { aNatsServer, freePort, type NatsServer } from './nats-server.ts';

const VIOLATION = 'Permissions Violation';

interface Deployed {
  readonly broker: NatsServer;
  readonly copy: DeployCopy;
}

/** A server with the accounts of docs/deploy/nats.conf. */
async function aDeployedBroker(
  lines: readonly string[] = [],
  config = 'nats.conf',
  change: (copy: DeployCopy) => Promise<void> = async () => {},
): Promise<Deployed> {
  const copy = await aDeployCopy(lines);
  await change(copy);
  const flags = ['-c', join(copy.directory, config), '-m', String(await freePort())];
  return { broker: await aNatsServer(flags, copy.publicKeys), copy };
}

/** What a command line of this role has in its environment. */
function envOf({ broker, copy }: Deployed, role: Role): Readonly<Record<string, string>> {
  return {
    FANOUT_BROKER: broker.url,
    FANOUT_RUN: 'r',
    FANOUT_BROKER_NKEY: copy.keyFile(role),
    FANOUT_BROKER_INBOX: `_INBOX_${role}`,
  };
}

function cluster(deployed: Deployed, role: Role, ...args: readonly string[]): Promise<CliResult> {
  return runInProcess(['cluster', ...args], { env: envOf(deployed, role) });
}

describe('the accounts of docs/deploy/nats.conf', { timeout: 120_000 }, () => {
  it('let each role do its part of a run, with workers that leave, a stop and dead letters', async () => {
    const origin = await anOrigin();
    const lines = [...urls(origin, '/ok', 30), `${origin.url}/gate/g`, ...urls(origin, '/status/404', 5)];
    const deployed = await aDeployedBroker(lines);
    const list = join(deployed.copy.directory, 'urls.txt');
    const settings = ['--chunk', '4', '--ack-wait', '2s'];
    const results: CliResult[] = [await cluster(deployed, 'feeder', 'feed', list, ...settings)];
    // A worker that gives its chunks back.
    const leaving = startInProcess(['cluster', 'work', '-c', '8', '--lanes', '9', '--drain-timeout', '0'], {
      env: envOf(deployed, 'worker'),
    });
    await origin.waiting('g', 1);
    leaving.kill('SIGTERM');
    const left = await leaving.done;
    for (const args of [['status'], ['status', '--json'], ['runs'], ['dead', 'list'], ['dead', 'export']])
      results.push(await cluster(deployed, 'viewer', ...args));
    const work = startInProcess(['cluster', 'work'], { env: envOf(deployed, 'worker') });
    origin.open('g');
    const output = join(deployed.copy.directory, 'results.jsonl');
    const collected = await cluster(deployed, 'collector', 'collect', '-q', '-o', output);
    expect(collected.code).toBe(1);
    const done = await work.done;
    results.push(done, await cluster(deployed, 'feeder', 'feed', list, ...settings));
    results.push(await cluster(deployed, 'viewer', 'status'));
    expect(results.at(-1)?.stdout).toContain(': complete\n');
    results.push(await cluster(deployed, 'operator', 'dead', 'retry'));
    results.push(await cluster(deployed, 'operator', 'purge'));
    for (const { code, stdout, stderr } of [...results, { ...collected, code: 0 }, { ...left, code: 0 }]) {
      expect([code, stdout + stderr]).toEqual([0, expect.not.stringContaining(VIOLATION)]);
    }
    const records = (await readFile(output, 'utf8')).trim().split('\n');
    expect(records).toHaveLength(36);
  });

  it('let a collector stop a run, and continue it', async () => {
    const origin = await anOrigin();
    const deployed = await aDeployedBroker([...urls(origin, '/status/404', 20), ...urls(origin, '/ok', 20)]);
    const list = join(deployed.copy.directory, 'urls.txt');
    const stderr: string[] = [(await cluster(deployed, 'feeder', 'feed', list, '--chunk', '2')).stderr];
    for (const more of [['--max-failures', '3'], []]) {
      const work = startInProcess(['cluster', 'work', '-c', '2', '--lanes', '1'], {
        env: envOf(deployed, 'worker'),
      });
      const collected = await cluster(deployed, 'collector', 'collect', '-q', ...more);
      stderr.push(collected.stderr, (await work.done).stderr);
      expect(collected.code).toBe(1);
    }
    const { stdout } = await cluster(deployed, 'viewer', 'status');
    expect(stdout).toContain(': complete\n');
    expect(stderr.join('')).not.toContain(VIOLATION);
  });
});

const RUN = '01J9Z3M4Q8R5T6V7W8X9YABCDE';

/** What may be published, by subject: `R` is a role that may, and every other role but the operator is refused. */
const RIGHTS: readonly (readonly [subject: string, roles: readonly Role[]])[] = [
  ['$JS.API.STREAM.DELETE.x', []],
  ['$JS.API.STREAM.UPDATE.x', []],
  ['$JS.API.STREAM.PURGE.x', ['collector']],
  ['$JS.API.STREAM.MSG.DELETE.x', ['feeder']],
  ['$JS.API.STREAM.RESTORE.x', []],
  ['$JS.API.STREAM.CREATE.x', ['feeder']],
  ['$JS.API.CONSUMER.DELETE.x.y', ['worker']],
  ['$JS.API.CONSUMER.MSG.NEXT.x.y', ['feeder', 'worker', 'collector', 'viewer']],
  [`$KV.fanout_runs.run.${RUN}`, ['feeder']],
  ['$KV.fanout_runs.name.r', ['feeder']],
  [`$KV.fanout_runs.options.${RUN}`, ['feeder', 'worker']],
  [`$KV.fanout_${RUN}.live.lease.1`, ['worker']],
  [`$KV.fanout_${RUN}.hosts.1`, ['worker']],
  ['$JS.API.CONSUMER.CREATE.x.y', ['feeder', 'worker', 'collector', 'viewer']],
  [`fanout.${RUN}.jobs.0`, ['feeder']],
  [`fanout.${RUN}.log.1`, ['worker']],
  [`fanout.${RUN}.dead.1`, ['worker']],
  [`fanout.${RUN}.state.left.1`, ['worker']],
  [`fanout.${RUN}.state.suspect-1`, ['feeder', 'worker', 'collector']],
  [`fanout.${RUN}.state.stop`, ['feeder', 'collector']],
  [`fanout.${RUN}.state.end`, ['feeder', 'collector']],
  [`fanout.${RUN}.state.complete`, ['feeder', 'collector']],
  ['_INBOX_worker.x', []],
  ['other', []],
];

async function connectAs({ broker, copy }: Deployed, role: Role): Promise<NatsConnection> {
  const seed = (await readFile(copy.keyFile(role), 'utf8')).trim();
  const connection = await connect({
    servers: `127.0.0.1:${broker.port}`,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
    inboxPrefix: `_INBOX_${role}`,
  });
  onTestFinished(() => connection.close());
  return connection;
}

/** Publishes to these subjects. Resolves to those that the server refuses. */
async function refusedOf(
  connection: NatsConnection,
  subjects: readonly string[],
): Promise<readonly string[]> {
  const refused: string[] = [];
  const errors = connection.status();
  for (const subject of [...subjects, LAST]) connection.publish(subject, '{}');
  for await (const status of errors) {
    const [, subject = ''] = (status.type === 'error' && /"([^"]+)"/.exec(status.error.message)) || [];
    if (subject === LAST) return refused;
    if (subject !== '') refused.push(subject);
  }
  throw new Error('The connection was closed');
}

/** A subject that every role but the operator is refused. */
const LAST = 'the.last';

describe('the rights of each role', { timeout: 60_000 }, () => {
  it.each(ROLES.filter((role) => role !== 'operator'))(
    '%s may publish what it needs, and nothing else',
    async (role) => {
      const connection = await connectAs(await aDeployedBroker(), role);
      const refused = await refusedOf(
        connection,
        RIGHTS.map(([subject]) => subject),
      );
      const wanted = RIGHTS.filter(([, roles]) => !roles.includes(role)).map(([subject]) => subject);
      expect([...refused].sort()).toEqual(wanted.sort());
    },
  );

  it.each(ROLES)('%s reads no responses, chunks or results of others', async (role) => {
    const connection = await connectAs(await aDeployedBroker(), role);
    const refused = new Set<string>();
    const others = ROLES.filter((other) => other !== role).map((other) => `_INBOX_${other}.>`);
    const forbidden = [...others, '_INBOX.>', '>', '$JS.API.>', 'fanout.>', `fanout.${RUN}.log.1`, '$KV.>'];
    for (const subject of forbidden) {
      const callback = (error: Error | null) => {
        if (error?.message.includes(VIOLATION)) refused.add(subject);
      };
      connection.subscribe(subject, { callback });
    }
    await connection.flush(); // its response comes after the refusals
    expect([...refused].sort()).toEqual(forbidden.sort());
  });

  it.each(['viewer', 'worker', 'collector'] as const)('%s cannot delete a run, and says so', async (role) => {
    const origin = await anOrigin();
    const deployed = await aDeployedBroker(urls(origin, '/ok', 3));
    await cluster(deployed, 'feeder', 'feed', join(deployed.copy.directory, 'urls.txt'));
    const { code, stderr } = await cluster(deployed, role, 'purge', '--yes');
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^error: cannot delete the run "r".*Permissions/m),
    ]);
    expect((await cluster(deployed, 'viewer', 'status')).stdout).toContain('1 of 1 chunks');
  });
});

describe('docs/deploy/nats-tls.conf', { timeout: 60_000 }, () => {
  it('wants a client certificate and the key of a role', async () => {
    const server = await serverCertificate({ names: ['127.0.0.1'] });
    const mine = await clientCertificate();
    const ca = (await testCa()).cert;
    const deployed = await aDeployedBroker([], 'nats-tls.conf', async ({ directory }) => {
      const path = (name: string) => join(directory, name);
      for (const [name, text] of Object.entries({
        'server.pem': server.cert,
        'server-key.pem': server.key,
        'ca.pem': ca,
        'mine.pem': mine.cert + mine.key,
      }))
        await writeFile(path(name), text);
      const config = await readFile(path('nats-tls.conf'), 'utf8');
      await writeFile(path('nats-tls.conf'), config.replaceAll('/etc/nats/tls/', `${directory}/`));
    });
    const file = (name: string) => join(deployed.copy.directory, name);
    const tls = ['--broker-ca', file('ca.pem'), '--broker-cert', file('mine.pem')];
    const accepted = await cluster(deployed, 'viewer', 'status', ...tls);
    expect(accepted.stderr).toContain('the broker has no run "r"');
    const withoutKey = await runInProcess([
      'cluster',
      'status',
      '--broker',
      deployed.broker.url,
      '--run',
      'r',
      ...tls,
    ]);
    expect(withoutKey.stderr).toContain('it refuses the credentials');
    const withoutCertificate = await cluster(deployed, 'viewer', 'status', ...tls.slice(0, 2), '--wait', '0');
    expect(withoutCertificate.stderr).toContain('give --broker-cert');
  });
});
