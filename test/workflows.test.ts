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

  it('audits all dependencies, since the bundle has some of them, and publishes with provenance', () => {
    const runs = runsOf(jobs.publish);
    expect(runs).toContain('npm ci --ignore-scripts');
    expect(runs.indexOf('npm audit')).toBeGreaterThan(runs.indexOf('npm ci --ignore-scripts'));
    expect(runs.at(-1)).toBe('npm publish --provenance --access public');
  });

  it('gives only the job that publishes an identity, and nothing else', () => {
    expect(permissions).toEqual({});
    expect(jobs.publish?.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(jobs.test?.permissions).toEqual({ contents: 'read' });
  });
});

it('no workflow uses an action that is not pinned to a commit, or puts untrusted text into a script', async () => {
  for (const name of await readdir(DIRECTORY)) {
    for (const job of Object.values((await workflow(name)).jobs)) {
      const used = (job.steps ?? []).flatMap(({ uses }) => uses ?? []);
      expect(used.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
      expect(runsOf(job).filter((script) => script.includes('${{'))).toEqual([]);
    }
  }
});

it.each(['action.yml', 'docs/ci.md', '.github/workflows/ci.yml', '.github/workflows/publish.yml'])(
  'every action in %s is pinned to a commit, with its version beside it',
  async (name) => {
    const text = await readFile(fileURLToPath(new URL(`../${name}`, import.meta.url)), 'utf8');
    const used = [...text.matchAll(/uses: +(?!\.\/)(\S.*)/g)].map(([, action]) => action);
    expect(used.length).toBeGreaterThan(0);
    const pinned = /^(?:[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|OWNER\/fanout@COMMIT)$/;
    expect(used.filter((action) => !pinned.test(action ?? ''))).toEqual([]);
  },
);
