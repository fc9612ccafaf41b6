import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { anOrigin, urls } from '../cli/an-origin.ts';
import {
  aDeployCopy,
  type DeployCopy,
  type DeployedProcess,
  deployedProcesses,
  expressions,
  metricNames,
  yamlOf,
} from '../docs/deploy-files.ts';
import { get } from '../origin/get.ts';
import { type CliRun, startCli } from '../origin/run-cli.ts';
import { aNatsServer, freePort, type NatsServer } from './nats-server.ts';

const WAIT = { timeout: 100_000, interval: 100 };
const AT_MOST = { killAfterMs: 120_000 };

/** The broker of a file, with its arguments and its variables; only its addresses and its directories are those of the test. */
async function aDeployedBroker(file: string, copy: DeployCopy): Promise<NatsServer> {
  const [first] = await yamlOf(file === 'compose.yaml' ? file : 'broker.yaml');
  const args: readonly string[] =
    first.services?.broker.command ?? first.spec.template.spec.containers[0].args;
  expect(args).toEqual(['-c', '/etc/nats/nats.conf', '-sd', '/data']);
  return aNatsServer(
    ['-c', join(copy.directory, 'nats.conf'), '-m', String(await freePort())],
    copy.publicKeys,
  );
}

interface Place {
  readonly broker: NatsServer;
  readonly copy: DeployCopy;
}

/** Starts a process as its file says. Paths, the broker and the address for metrics are those of the test. */
function start({ role, args, env }: DeployedProcess, { broker, copy }: Place): CliRun {
  const paths: Readonly<Record<string, string>> = {
    '/list/urls.txt': join(copy.directory, 'urls.txt'),
    '/run/secrets/nkey': copy.keyFile(role),
    '/keys/nkey': copy.keyFile(role),
    '0.0.0.0:9464': '127.0.0.1:0',
    [env.FANOUT_BROKER ?? '']: broker.url,
  };
  const toLocal = (text: string) => paths[text] ?? text;
  const variables = Object.entries(env).map(([name, value]) => [name, toLocal(value)]);
  return startCli(args.map(toLocal), {
    ...AT_MOST,
    cwd: copy.directory,
    env: Object.fromEntries(variables),
  });
}

async function resultsIn({ directory }: DeployCopy): Promise<readonly Record<string, unknown>[]> {
  const text = await readFile(join(directory, 'results.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function metricsOf(run: CliRun): Promise<string> {
  const [url = ''] = /http:\S+/.exec(await run.stderr.sees(/metrics are at \S+\n/)) ?? [];
  return (await get(url)).text;
}

const PROCESSES = await deployedProcesses();

describe.each(['compose.yaml', 'workloads.yaml'] as const)(
  'the processes of %s',
  { timeout: 180_000 },
  (file) => {
    const processes = PROCESSES.filter((one) => one.file === file);
    const [feeder, worker, collector] = processes;
    if (feeder === undefined || worker === undefined || collector === undefined)
      throw new Error('A process is missing');

    it('fetch a list, show the metrics of alerts and board, and can be started again', async () => {
      const origin = await anOrigin();
      const copy = await aDeployCopy([...urls(origin, '/ok', 40), `${origin.url}/gate/g`]);
      const place = { broker: await aDeployedBroker(file, copy), copy };
      const fed = start(feeder, place);
      expect([(await fed.done).code, fed.stderr.text]).toEqual([0, expect.stringContaining('41 URLs')]);
      // The origin of the test has a private address.
      const open = { ...worker, args: worker.args.filter((arg) => arg !== '--deny-private') };
      expect(open.args.length).toBe(worker.args.length - 1);
      const workers = Array.from({ length: worker.replicas }, () => start(open, place));
      await origin.waiting('g', 1);
      const again = start(feeder, place);
      const collecting = start(collector, place);
      const asked = [...(await expressions()).values()].flatMap(metricNames);
      // A process serves metrics before it has found its run.
      await vi.waitFor(async () => {
        const pages = await Promise.all([...workers, collecting].map(metricsOf));
        const exposed = new Set([...pages.join('').matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name));
        // In OpenMetrics, the name of the family of a counter has no suffix.
        const isExposed = (name: string) => exposed.has(name) || exposed.has(name.replace(/_total$/, ''));
        expect(asked.filter((name) => !isExposed(name))).toEqual([]);
      }, WAIT);
      origin.open('g');
      for (const run of [...workers, again, collecting]) {
        const { code, stderr } = await run.done;
        expect([code, stderr]).toEqual([0, expect.not.stringMatching(/^(warning|error)/m)]);
      }
      expect((await resultsIn(copy)).map(({ ok }) => ok)).toEqual(Array(41).fill(true));
      const repeated = await start(collector, place).done;
      expect([repeated.code, repeated.stderr]).toEqual([0, expect.not.stringMatching(/^(warning|error)/m)]);
      expect(await resultsIn(copy)).toHaveLength(41);
    });

    it('fetch nothing from private addresses', async () => {
      const origin = await anOrigin();
      const copy = await aDeployCopy(urls(origin, '/ok', 3));
      const place = { broker: await aDeployedBroker(file, copy), copy };
      expect((await start(feeder, place).done).code).toBe(0);
      const runs = [start(worker, place), start(collector, place)];
      expect(await Promise.all(runs.map(async ({ done }) => (await done).code))).toEqual([0, 1]);
      expect((await resultsIn(copy)).map(({ failure }) => failure)).toEqual(
        Array(3).fill(expect.objectContaining({ kind: 'denied' })),
      );
      expect(origin.requests).toBe(0);
    });
  },
);
