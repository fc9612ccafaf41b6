import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import { parseAllDocuments } from 'yaml';
import { tempDir } from '../origin/temp-dir.ts';
import { ROOT } from './pages.ts';

/** The files with which a run is deployed. */
export const DEPLOY = join(ROOT, 'docs/deploy');

export const ROLES = ['feeder', 'worker', 'collector', 'viewer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** A fanout process that a file starts. */
export interface DeployedProcess {
  readonly file: 'compose.yaml' | 'workloads.yaml';
  readonly role: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly replicas: number;
}

// biome-ignore lint/suspicious/noExplicitAny: what a YAML file has is known only to the test that reads it
export type Yaml = any;

export async function deployFile(name: string): Promise<string> {
  return readFile(join(DEPLOY, name), 'utf8');
}

/** The documents of a YAML file, with merge keys resolved. Throws at anything that is not quite valid. */
export async function yamlOf(name: string): Promise<readonly Yaml[]> {
  const documents = parseAllDocuments(await deployFile(name), {
    merge: true,
    strict: true,
    uniqueKeys: true,
  });
  return documents.map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    return document.toJS();
  });
}

/** Every fanout process of the compose file and of the manifests. `FANOUT_RUN` is "first", as keys.sh writes it. */
export async function deployedProcesses(): Promise<readonly DeployedProcess[]> {
  const [{ services }] = await yamlOf('compose.yaml');
  const composed = Object.entries<Yaml>(services)
    .filter(([, { image }]) => image === 'fanout')
    .map(([role, { command, environment, deploy }]) => ({
      file: 'compose.yaml' as const,
      role,
      args: command,
      env: { ...environment, FANOUT_RUN: 'first' },
      replicas: deploy?.replicas ?? 1,
    }));
  const manifests = await yamlOf('workloads.yaml');
  const pods = manifests
    .filter(({ spec }) => spec.template !== undefined)
    .map(({ spec: { template, replicas = 1 } }) => {
      const [{ args, env }] = template.spec.containers;
      const named = Object.fromEntries(env.map(({ name, value }: Yaml) => [name, value]));
      return {
        file: 'workloads.yaml' as const,
        role: template.metadata.labels['app.kubernetes.io/component'],
        args,
        env: { ...named, FANOUT_RUN: 'first' },
        replicas,
      };
    });
  return [...composed, ...pods];
}

export interface DeployCopy {
  readonly directory: string;
  /** The public key of each role, by its variable in nats.conf. */
  readonly publicKeys: Readonly<Record<string, string>>;
  keyFile(role: string): string;
}

/** A copy of the folder with what its user adds: keys, `.env` and a list. */
export async function aDeployCopy(urls: readonly string[] = []): Promise<DeployCopy> {
  const directory = join(await tempDir(), 'deploy');
  await cp(DEPLOY, directory, { recursive: true });
  await mkdir(join(directory, 'keys'));
  const publicKeys: Record<string, string> = {};
  for (const role of ROLES) {
    const user = createUser();
    publicKeys[`${role.toUpperCase()}_NKEY`] = user.getPublicKey();
    await writeFile(join(directory, 'keys', `${role}.nk`), `${new TextDecoder().decode(user.getSeed())}\n`);
  }
  const variables = Object.entries({ ...publicKeys, FANOUT_RUN: 'first' });
  await writeFile(join(directory, '.env'), variables.map((pair) => `${pair.join('=')}\n`).join(''));
  await writeFile(join(directory, 'urls.txt'), urls.map((url) => `${url}\n`).join(''));
  return { directory, publicKeys, keyFile: (role) => join(directory, 'keys', `${role}.nk`) };
}

/** The PromQL expressions of the alert rules, the board and the autoscaler, by where they are. */
export async function expressions(): Promise<ReadonlyMap<string, string>> {
  const [{ groups }] = await yamlOf('alerts.yaml');
  const { panels } = JSON.parse(await deployFile('grafana.json'));
  const [{ spec }] = await yamlOf('autoscaling.yaml');
  return new Map<string, string>([
    ...groups[0].rules.map(({ alert, expr }: Yaml) => [alert, expr]),
    ...panels.flatMap(({ title, targets }: Yaml) =>
      targets.map(({ refId, expr }: Yaml) => [`${title} ${refId}`, expr]),
    ),
    ...spec.triggers.map(({ type, metadata }: Yaml) => [`trigger ${type}`, metadata.query]),
  ]);
}

/** The names of metrics in an expression, without the suffixes of a histogram. */
export function metricNames(expression: string): readonly string[] {
  return [...expression.matchAll(/\b(?:fanout|process|nodejs)_\w+/g)].map(([name]) =>
    name.replace(/_bucket$/, ''),
  );
}
