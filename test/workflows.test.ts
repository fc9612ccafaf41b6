import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const DIRECTORY = fileURLToPath(new URL('../.github/workflows', import.meta.url));

interface Job {
  readonly needs?: string;
  readonly uses?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly { readonly run?: string; readonly uses?: string }[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

async function workflow(name: string): Promise<Workflow> {
  return parse(await readFile(join(DIRECTORY, name), 'utf8'));
}

const runsOf = (job: Job | undefined) => (job?.steps ?? []).flatMap(({ run }) => run ?? []);

describe('publish.yml', async () => {
  const { on, permissions, jobs } = await workflow('publish.yml');

  it('runs only for tags, after all checks of .ci/run', async () => {
    expect(on).toEqual({ push: { tags: ['v*'] } });
    expect([jobs.publish?.needs, jobs.test?.uses]).toEqual(['test', './.github/workflows/ci.yml']);
    expect(runsOf((await workflow('ci.yml')).jobs.all)).toEqual(['.ci/run']);
  });

  it('audits the dependencies of users, and publishes with provenance', () => {
    const runs = runsOf(jobs.publish);
    expect(runs).toContain('npm ci');
    expect(runs.indexOf('npm audit --omit=dev')).toBeGreaterThan(runs.indexOf('npm ci'));
    expect(runs.at(-1)).toBe('npm publish --provenance --access public');
  });

  it('gives only the job that publishes an identity, and nothing else', () => {
    expect(permissions).toEqual({});
    expect(jobs.publish?.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(jobs.test?.permissions).toEqual({ contents: 'read' });
  });
});

it('no workflow uses an action without a version, or puts untrusted text into a script', async () => {
  for (const name of await readdir(DIRECTORY)) {
    for (const job of Object.values((await workflow(name)).jobs)) {
      const used = (job.steps ?? []).flatMap(({ uses }) => uses ?? []);
      expect(used.filter((action) => !/^[\w-]+\/[\w-]+@v\d+/.test(action))).toEqual([]);
      expect(runsOf(job).filter((script) => script.includes('${{'))).toEqual([]);
    }
  }
});
