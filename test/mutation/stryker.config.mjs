import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * Mutation testing of one of the folders that only decide, see CONTRIBUTING.md:
 *
 *     FOLDER=core npx --package @stryker-mutator/core@9.6.1 stryker run test/mutation/stryker.config.mjs
 */

/** Tests that are about speed, memory or other processes: what they alone would notice counts as survived. */
const SKIPPED_TESTS = [
  'a few bytes', 'bomb', 'take linear time', '100,000 URLs', '100,000 strings', 'far longer than the limit', '1 MiB byte by byte', 'of an endless', 'many pages',
  'room reserved', 'start at once', 'any byte may be', 'changed anywhere', 'anywhere, it is', 'of about 1 MiB', 'growing and shrinking', '10,000 keys', 'hundred thousand',
]; // biome-ignore format: a list

/** Files of tests that start processes, or of which a single one takes seconds. */
const SKIPPED_FILES = /scheduler-(cost|model)|hash-set|read-stream|journal-crash/;

/** Tests of other folders that hold the behaviour of a folder, start no process and take milliseconds. */
const MORE_TESTS = { config: ['test/cli/print-config.test.ts'] };

/** Left out: without the tests of its speed the set of keys has none. */
const NOT_MUTATED = ['src/input/hash-set.ts'];

const { FOLDER = 'core', MUTATE = `src/${FOLDER}/**/*.ts` } = process.env;

process.env.MUTATION_TESTS = testsOf(`test/${FOLDER}`).join(',');
process.env.MUTATION_SKIP = SKIPPED_TESTS.join('|');
process.env.MUTATION_LOG ??= join(tmpdir(), `fanout-mutation-${process.pid}.jsonl`);

function testsOf(folder) {
  const entries = readdirSync(folder, { recursive: true }).map((name) => `${folder}/${name}`);
  const own = entries.filter((name) => name.endsWith('.test.ts') && !SKIPPED_FILES.test(name));
  return [...own.sort(), ...(MORE_TESTS[FOLDER] ?? [])];
}

export default {
  testRunner: 'in-process',
  plugins: ['./test/mutation/in-process-runner.mjs'],
  testRunnerNodeArgs: ['--import', 'tsx'],
  mutate: [MUTATE, ...NOT_MUTATED.map((path) => `!${path}`)],
  coverageAnalysis: 'perTest',
  // What runs when a module is loaded cannot be switched on and off in one process.
  ignoreStatic: true,
  concurrency: 1,
  timeoutMS: 5000,
  // TypeScript 7 has no API that Stryker could read the file with, and nothing here needs it.
  tsconfigFile: 'none',
  tempDirName: join(tmpdir(), 'fanout-mutation'),
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { reportTests: false },
};
