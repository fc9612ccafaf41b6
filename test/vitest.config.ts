import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, the slowest first. They start first, so that none is left to run alone at the end. */
const SLOWEST = [
  'cli/mutated-responses',
  'chaos/chaos',
  'cluster/stopping',
  'cli/crash',
  'cluster/cluster',
  'cluster/shards-run',
  'cli/threads',
  'cluster/restarts',
  'cluster/dead-letters',
  'http/body-end',
  'cluster/collector',
  'cluster/ordered',
  'library/package',
  'docs/commands',
  'cli/descriptors',
  'cluster/suspended-worker',
  'output/reports/html',
];

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = SLOWEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? SLOWEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // Limits for tests that hang: on a busy machine the slowest one takes half of this.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    allowOnly: false,
    // Half of the time of a test run would go into starting a process for each file. No test leaves a trace for others.
    isolate: false,
    // Two cores, and as many tests that wait.
    maxWorkers: 4,
    pool: 'forks',
    sequence: { sequencer: SlowestFirst },
  },
});
