import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { COMMANDS, findSpec } from '../../src/cli/command-specs.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import {
  aDeployCopy,
  DEPLOY,
  deployedProcesses,
  deployFile,
  expressions,
  metricNames,
  ROLES,
  type Yaml,
  yamlOf,
} from './deploy-files.ts';
import { ROOT } from './pages.ts';

const FILES = await readdir(DEPLOY);
const PROCESSES = await deployedProcesses();
const EXPRESSIONS = await expressions();
const FAMILIES = (
  await Promise.all(
    ['metric-families.ts', 'metrics.ts'].map((name) => readFile(join(ROOT, 'src/cluster', name), 'utf8')),
  )
).join('');

/** Runs a tool that checks files. Rejects with what it says. */
async function check(
  tool: string,
  args: readonly string[],
  { cwd = DEPLOY, debianPackage = tool }: { readonly cwd?: string; readonly debianPackage?: string } = {},
): Promise<string> {
  try {
    return (await promisify(execFile)(tool, [...args], { cwd, maxBuffer: 2 ** 24 })).stdout;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new Error(`These tests need ${tool}: type "apt-get install -y ${debianPackage}"`, {
        cause: error,
      });
    throw error;
  }
}

describe('the files of docs/deploy', () => {
  it.each(FILES.filter((name) => name.endsWith('.yaml')))('%s is YAML', async (name) => {
    expect((await yamlOf(name)).length).toBeGreaterThan(0);
  });

  it('are all named in docs/deploy.md', async () => {
    const page = await readFile(join(ROOT, 'docs/deploy.md'), 'utf8');
    expect(FILES.filter((name) => !page.includes(`deploy/${name}`))).toEqual([]);
  });

  it('name no host but examples, and public images', async () => {
    const texts = await Promise.all(FILES.map(deployFile));
    const hosts = texts.join('').match(/(?<=:\/\/)[\w.-]+/g) ?? [];
    const allowed = ['broker', 'fanout-broker', '127.0.0.1', 'prometheus.monitoring'];
    expect(hosts.filter((host) => !allowed.includes(host))).toEqual([]);
    expect(texts.join('').match(/(?<=image: )\S+|(?<=newName: )[\w./-]+/g)).toEqual(
      expect.arrayContaining(['fanout', 'nats:2.10-alpine', 'registry.example.com/fanout']),
    );
  });
});

describe('the processes of docs/deploy', () => {
  it('are found', () => {
    const roles = ['feeder', 'worker', 'collector'];
    const found = PROCESSES.map(({ file, role }) => `${file} ${role}`);
    expect(found).toEqual([
      ...roles.map((role) => `compose.yaml ${role}`),
      ...roles.map((role) => `workloads.yaml ${role}`),
    ]);
    expect(PROCESSES.filter(({ role }) => role === 'worker').map(({ replicas }) => replicas)).toEqual([3, 3]);
  });

  it.each(PROCESSES)(
    '$file: $role has a command line and variables that fanout takes',
    async ({ args, env }) => {
      expect(findSpec(args.slice(0, 2))?.name).toBe(args.slice(0, 2).join(' '));
      const { code, stdout, stderr } = await runInProcess([...args, '--print-config'], { env });
      expect([code, stderr]).toEqual([0, '']);
      for (const value of [
        env.FANOUT_BROKER,
        env.FANOUT_BROKER_NKEY,
        env.FANOUT_BROKER_INBOX,
        '0.0.0.0:9464',
      ])
        expect(stdout).toContain(value);
    },
  );

  it('have time to end after SIGTERM', async () => {
    const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1]);
    const drains = PROCESSES.filter(({ role }) => role === 'worker').map(({ args }) =>
      seconds(args[args.indexOf('--drain-timeout') + 1] ?? ''),
    );
    const [{ services }] = await yamlOf('compose.yaml');
    const worker = (await yamlOf('workloads.yaml')).find(({ kind }) => kind === 'Deployment');
    const graces = [
      seconds(services.worker.stop_grace_period),
      worker.spec.template.spec.terminationGracePeriodSeconds,
    ];
    expect(drains).toHaveLength(2);
    for (const [at, drain] of drains.entries()) expect(graces[at]).toBeGreaterThanOrEqual(drain + 10);
  });

  it('run without rights, and write only to their volumes', async () => {
    const [{ services }] = await yamlOf('compose.yaml');
    for (const { role } of PROCESSES.filter(({ file }) => file === 'compose.yaml')) {
      const { read_only, cap_drop, security_opt } = services[role];
      expect([read_only, cap_drop, security_opt]).toEqual([true, ['ALL'], ['no-new-privileges:true']]);
    }
    const manifests = [...(await yamlOf('workloads.yaml')), ...(await yamlOf('broker.yaml'))];
    const pods = manifests.flatMap(({ spec }) => (spec.template === undefined ? [] : [spec.template.spec]));
    expect(pods).toHaveLength(4);
    for (const { securityContext, containers, automountServiceAccountToken } of pods) {
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(automountServiceAccountToken).toBe(false);
      for (const { securityContext: limits, resources } of containers) {
        expect(limits).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect([resources.requests.memory, resources.limits.memory].join()).toMatch(/^\d+[MG]i,\d+Gi$/);
      }
    }
  });

  it('use one broker, which listens where they look for it, with the keys that keys.sh makes', async () => {
    const [{ services }] = await yamlOf('compose.yaml');
    const [broker, service] = await yamlOf('broker.yaml');
    const names = new Set(PROCESSES.map(({ env }) => env.FANOUT_BROKER));
    expect([...names]).toEqual(['nats://broker:4222', `nats://${service.metadata.name}:4222`]);
    expect(service.spec.selector).toEqual(broker.spec.template.metadata.labels);
    const keys = [...(await deployFile('nats.conf')).matchAll(/\$(\w+_NKEY)/g)].map(([, name]) => name);
    expect(keys).toEqual(ROLES.map((role) => `${role.toUpperCase()}_NKEY`));
    expect(Object.keys(services.broker.environment)).toEqual(keys);
  });
});

describe('the tools of each file accept it', { timeout: 60_000 }, () => {
  it('docker-compose takes compose.yaml', async () => {
    const { directory } = await aDeployCopy();
    const text = await check('docker-compose', ['--profile', 'monitoring', 'config'], { cwd: directory });
    for (const name of ['broker', 'feeder', 'worker', 'collector', 'prometheus'])
      expect(text).toContain(`\n  ${name}:\n`);
    await rm(join(directory, '.env'));
    await expect(check('docker-compose', ['config'], { cwd: directory })).rejects.toThrow(
      'run keys.sh first',
    );
  });

  it('kubectl takes the manifests, and every field of a workload is one that Kubernetes has', async () => {
    const { directory } = await aDeployCopy();
    const at = { cwd: directory, debianPackage: 'kubernetes-client' };
    const text = await check('kubectl', ['kustomize', '.'], at);
    for (const kind of ['StatefulSet', 'Service', 'Job', 'Deployment', 'PodDisruptionBudget', 'ScaledObject'])
      expect(text).toContain(`\nkind: ${kind}\n`);
    expect(text).toContain('image: registry.example.com/fanout:latest');
    const workloads = [...(await yamlOf('workloads.yaml')), ...(await yamlOf('broker.yaml'))].filter(
      ({ spec }) => spec.template !== undefined,
    );
    for (const [at_, workload] of workloads.entries()) {
      const file = join(directory, `workload-${at_}.json`);
      await writeFile(file, JSON.stringify(workload));
      // kubectl drops the fields that it does not know.
      const known = JSON.parse(
        await check('kubectl', ['set', 'env', '--local', '-f', file, 'A=b', '-o', 'json'], at),
      );
      expect(known).toMatchObject(withoutQuantities(workload));
    }
  });

  it('promtool takes the alert rules, the configuration and every expression', async () => {
    const { directory } = await aDeployCopy();
    const at = { cwd: directory, debianPackage: 'prometheus' };
    await check('promtool', ['check', 'config', 'prometheus.yaml'], at);
    const rules = [...EXPRESSIONS.values()].map((expr, index) => ({ record: `rule:${index}`, expr }));
    await writeFile(join(directory, 'all.json'), JSON.stringify({ groups: [{ name: 'all', rules }] }));
    expect(await check('promtool', ['check', 'rules', 'all.json'], at)).toContain(
      `${rules.length} rules found`,
    );
  });
});

/** kubectl writes amounts such as "1Gi" in its own way. */
function withoutQuantities(workload: Yaml): Yaml {
  return JSON.parse(JSON.stringify(workload), (key, value) =>
    ['resources', 'env', 'creationTimestamp'].includes(key) ? undefined : value,
  );
}

describe('keys.sh', () => {
  it('makes a key for each role, once', async () => {
    const bin = await tempDir();
    const nkeys = import.meta.resolve('@nats-io/nkeys');
    await writeFile(
      join(bin, 'nk'),
      `#!${process.execPath}
import('${nkeys}').then(({ default: { createUser, fromSeed } }) => {
  const [, , ...args] = process.argv;
  if (args.join(' ') === '-gen user') console.log(Buffer.from(createUser().getSeed()).toString());
  else if (args[0] === '-inkey' && args[2] === '-pubout')
    console.log(fromSeed(require('fs').readFileSync(args[1]).subarray(0, 58)).getPublicKey());
  else process.exit(1);
});
`,
    );
    await chmod(join(bin, 'nk'), 0o755);
    const directory = await tempDir();
    await mkdir(join(directory, 'deploy'));
    const script = join(directory, 'deploy/keys.sh');
    await writeFile(script, await deployFile('keys.sh'));
    const run = () =>
      promisify(execFile)('sh', [script], { env: { PATH: `${bin}${delimiter}${process.env.PATH}` } });
    await run();
    const env = await readFile(join(directory, 'deploy/.env'), 'utf8');
    const expected = ROLES.map((role) => `${role.toUpperCase()}_NKEY=U[A-Z2-7]{55}\n`).join('');
    expect(env).toMatch(new RegExp(`^${expected}FANOUT_RUN=first\n$`));
    for (const role of ROLES) {
      const seed = await readFile(join(directory, `deploy/keys/${role}.nk`), 'utf8');
      expect(seed).toMatch(/^SU[A-Z2-7]{56}\n$/);
    }
    await expect(run()).rejects.toThrow('.env exists');
    expect(await readFile(join(directory, 'deploy/.env'), 'utf8')).toBe(env);
  });
});

describe('the metrics of alerts, board and autoscaler', () => {
  it('exist, with the labels that are asked for', async () => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const names = new Set([
      ...[...FAMILIES.matchAll(/\bname: '(fanout_\w+)'/g)].map(([, name = '']) => name),
      ...registry.getMetricsAsArray().map(({ name }) => name),
    ]);
    for (const [where, expression] of EXPRESSIONS) {
      const unknown = metricNames(expression).filter((name) => !names.has(name));
      expect([where, unknown]).toEqual([where, []]);
      for (const [, label = '', values = ''] of expression.matchAll(/(\w+)=~?"([^"]*)"/g))
        for (const value of values.split('|')) expect(FAMILIES).toContain(`${label}: '${value}'`);
    }
    expect(EXPRESSIONS.size).toBeGreaterThan(15);
  });
});

/** Series of a healthy run: 10 URLs/s, and one chunk after the other is finished. */
const HEALTHY: Readonly<Record<string, string>> = {
  'fanout_build_info{instance="w",role="work"}': '1x120',
  'fanout_broker_connected{instance="w"}': '1x120',
  'fanout_queue_chunks{instance="c",state="waiting"}': '50x120',
  'fanout_work_urls_total{instance="w",verdict="ok",kind="none"}': '0+600x120',
  'fanout_work_urls_total{instance="w",verdict="failed",kind="status"}': '0+30x120',
  'fanout_work_chunks_in_hand{instance="w"}': '3x120',
  'fanout_work_chunks_redelivered_total{instance="w"}': '0x120',
  'fanout_work_hosts{instance="w",state="known"}': '100x120',
  'fanout_work_hosts{instance="w",state="parked"}': '1x120',
  'fanout_run_oldest_unfinished_chunk{instance="c"}': '0+1x120',
  'fanout_run_chunks_done{instance="c"}': '0+1x120',
  'fanout_dead_urls{instance="c"}': '0x120',
  'nodejs_eventloop_lag_p99_seconds{instance="w"}': '0.02x120',
};

const [URLS, FAILURES, DONE] = [
  'fanout_work_urls_total{instance="w",verdict="ok",kind="none"}',
  'fanout_work_urls_total{instance="w",verdict="failed",kind="status"}',
  'fanout_run_chunks_done{instance="c"}',
] as const;

/** What differs from a healthy run when an alert has to fire; `undefined` for a series that is missing. */
const TROUBLES: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  FanoutBrokerLost: { 'fanout_broker_connected{instance="w"}': '0x120' },
  FanoutNoWorkers: { [URLS]: undefined, [FAILURES]: undefined },
  FanoutNoCollector: { [DONE]: undefined },
  FanoutChunkStuck: { 'fanout_run_oldest_unfinished_chunk{instance="c"}': '7x120' },
  FanoutWorkersDie: { 'fanout_work_chunks_redelivered_total{instance="w"}': '0+1x120' },
  FanoutDeadUrls: { 'fanout_dead_urls{instance="c"}': '2x120' },
  FanoutManyFailures: { [FAILURES]: '0+600x120' },
  FanoutHostsParked: { 'fanout_work_hosts{instance="w",state="parked"}': '80x120' },
  FanoutBusyProcess: { 'nodejs_eventloop_lag_p99_seconds{instance="w"}': '2x120' },
};

describe('the alert rules', { timeout: 60_000 }, () => {
  it('fire each in its case and no other one, and not in a healthy run', async () => {
    const [{ groups }] = await yamlOf('alerts.yaml');
    expect(groups[0].rules.map(({ alert }: Yaml) => alert)).toEqual(Object.keys(TROUBLES));
    const tests = Object.entries<Readonly<Record<string, string | undefined>>>({ ...TROUBLES, none: {} });
    const text = JSON.stringify({
      rule_files: [join(DEPLOY, 'alerts.yaml')],
      tests: tests.map(([alert, changes]) => ({
        interval: '1m',
        name: alert,
        input_series: Object.entries({ ...HEALTHY, ...changes }).flatMap(([series, values]) =>
          values === undefined ? [] : [{ series, values }],
        ),
        promql_expr_test: [
          {
            expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
            eval_time: '100m',
            exp_samples: alert === 'none' ? [] : [{ labels: `{alertname="${alert}"}`, value: 1 }],
          },
        ],
      })),
    });
    const file = join(await tempDir(), 'alerts-test.json');
    await writeFile(file, text);
    expect(await check('promtool', ['test', 'rules', file], { debianPackage: 'prometheus' })).toContain(
      'SUCCESS',
    );
  });
});

describe('docs/runbook.md', () => {
  it('has a row for each state of a run', async () => {
    const page = await readFile(join(ROOT, 'docs/runbook.md'), 'utf8');
    const source = await readFile(join(ROOT, 'src/cluster/run-state.ts'), 'utf8');
    const [, union = ''] = /interface RunStatus \{[^}]*?readonly state:([^;]+);/.exec(source) ?? [];
    const states = [...union.matchAll(/'(\w+)'/g)].map(([, state]) => state);
    expect(states.length).toBeGreaterThan(4);
    expect(states.filter((state) => !page.includes(`\n| \`${state}\``))).toEqual([]);
  });

  it.each(['docs/runbook.md', 'docs/deploy.md'])('%s has command lines that fanout takes', async (name) => {
    const page = await readFile(join(ROOT, name), 'utf8');
    const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) => block.split('\n'));
    const lines = blocks.filter((line) => line.startsWith('fanout '));
    expect(lines.length).toBeGreaterThan(0);
    const env = { FANOUT_BROKER: 'nats://127.0.0.1:4222', FANOUT_RUN: 'first' };
    for (const line of lines) {
      const args = line.replace(/ +#.*/, '').split(' ').slice(1);
      const { code, stderr } = await runInProcess([...args, '--print-config'], { env });
      expect([line, code, stderr]).toEqual([line, 0, '']);
    }
  });

  it('has a section for each alert', async () => {
    const page = await readFile(join(ROOT, 'docs/runbook.md'), 'utf8');
    const [{ groups }] = await yamlOf('alerts.yaml');
    const missing = groups[0].rules.filter(({ alert }: Yaml) => !page.includes(`\n### ${alert}\n`));
    expect(missing).toEqual([]);
  });

  it('names commands that exist', async () => {
    const page = await readFile(join(ROOT, 'docs/runbook.md'), 'utf8');
    const names = [...page.matchAll(/fanout (cluster [a-z]+)/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !COMMANDS.some((command) => command.name === name))).toEqual([]);
    expect(existsSync(join(ROOT, 'docs/deploy.md'))).toBe(true);
  });
});
