import { defineConfig } from 'vitest/config';

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
    maxWorkers: 3,
    pool: 'forks',
  },
});
