import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const { MUTATION_TESTS = '', MUTATION_SKIP = '^$', MUTATION_LOG = '', MUTATION_SHARE = '1' } = process.env;

/** A test is given up on after so long, and after so many times the time that it takes without a mutant. */
const LIMIT_MS = 1500;
const LIMIT_TIMES = 8;

/** The entry of the log with the times of the tests. */
const TIMES = 'times';

const SHIM = pathToFileURL(resolve('test/mutation/vitest-in-process.mjs')).href;
const HOOK = `
  export const resolve = (specifier, context, next) =>
    specifier === 'vitest' ? { url: '${SHIM}', shortCircuit: true } : next(specifier, context);`;

/**
 * A test runner for Stryker that imports the tests of a room once, and then runs those that a mutant can touch, the
 * fastest first, in one process. Stryker's own runner for vitest loads every module anew for each mutant, which takes
 * about a second: a hundred times as long.
 */
class InProcessRunner {
  #space = {};
  /** By their ids. */
  #tests = new Map();
  #vitest;
  /** What became of the mutants before this process, or this run, by mutant. */
  #known = new Map(existsSync(MUTATION_LOG) ? entriesOf(MUTATION_LOG) : []);
  /** How long the tests take, in ms, by their ids. */
  #times = new Map(this.#known.get(TIMES));

  capabilities() {
    // It cannot, and need not: what is active while modules are loaded is left out. Stryker would start it anew otherwise.
    return { reloadEnvironment: true };
  }

  async init() {
    globalThis.__stryker__ ??= this.#space;
    this.#space = globalThis.__stryker__;
    // What a mutant leaves behind may fail at any later time, and says nothing then of the one that is tested.
    process.on('uncaughtException', () => {});
    process.on('unhandledRejection', () => {});
    register(`data:text/javascript,${encodeURIComponent(HOOK)}`);
    this.#vitest = await import(SHIM);
    // A smaller counterexample is of no use here.
    (await import('fast-check')).default.configureGlobal({ endOnFailure: true });
    const skipped = new RegExp(MUTATION_SKIP);
    for (const path of MUTATION_TESTS.split(',')) {
      const first = this.#vitest.tests.length;
      await import(pathToFileURL(resolve(path)).href);
      for (const test of this.#vitest.tests.slice(first)) {
        if (!skipped.test(test.name)) this.#tests.set(`${path} ${test.name}`, { path, test });
      }
    }
  }

  async dryRun() {
    this.#space.activeMutant = undefined;
    const tests = [];
    const entered = new Set();
    for (const [id, { path, test }] of this.#tests) {
      this.#space.currentTestId = id;
      const { failure, timeSpentMs } = await this.#run(test, entered, 60_000);
      this.#times.set(id, timeSpentMs);
      const status = failure === undefined ? { status: 0 } : { status: 1, failureMessage: failure };
      tests.push({ id, name: id, fileName: resolve(path), timeSpentMs, ...status });
    }
    appendFileSync(MUTATION_LOG, `${JSON.stringify([TIMES, [...this.#times]])}\n`);
    this.#space.currentTestId = undefined;
    await this.#vitest.leave(entered);
    return { status: 'complete', tests, mutantCoverage: this.#space.mutantCoverage };
  }

  async mutantRun(options) {
    const { fileName, location, mutatorName, replacement } = options.activeMutant;
    const key = JSON.stringify([fileName.replace(/.*\/src\//, ''), location, mutatorName, replacement]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // Of a sample the others stand in the column of errors, and count for nothing.
    if (!isInSample(key)) return { status: 'error', errorMessage: 'it is not in the sample' };
    const result = await this.#try(options);
    appendFileSync(MUTATION_LOG, `${JSON.stringify([key, result])}\n`);
    // What a mutant leaves behind, such as a hanging thread of the pool for files, would be taken for the death of all after
    // it. Stryker starts a new process, which finds this result in the log.
    if (result.killedBy !== undefined && !(await this.#passes(result.killedBy[0]))) process.exit(1);
    return result;
  }

  #timeOf(id) {
    return this.#times.get(id) ?? 0;
  }

  /** Whether a test passes without any mutant, as it did at first. */
  async #passes(id) {
    return (await this.#firstFailure([id])).status === 'survived';
  }

  async #try({ activeMutant, testFilter, hitLimit }) {
    const space = this.#space;
    Object.assign(space, {
      activeMutant: activeMutant.id,
      hitLimit,
      hitCount: hitLimit === undefined ? undefined : 0,
    });
    const chosen = [...this.#tests.keys()].filter((id) => testFilter?.includes(id) ?? true);
    chosen.sort((a, b) => this.#timeOf(a) - this.#timeOf(b));
    const result = await this.#firstFailure(chosen);
    const isEndless = space.hitLimit !== undefined && space.hitCount > space.hitLimit;
    Object.assign(space, { activeMutant: undefined, hitLimit: undefined, hitCount: undefined });
    return isEndless ? { status: 'timeout', reason: 'it runs without an end' } : result;
  }

  async #firstFailure(ids) {
    const entered = new Set();
    let nrOfTests = 0;
    let killed;
    for (const id of ids) {
      nrOfTests += 1;
      const limitMs = Math.max(LIMIT_MS, LIMIT_TIMES * this.#timeOf(id));
      const { failure } = await this.#run(this.#tests.get(id).test, entered, limitMs);
      if (failure === undefined) continue;
      killed = { status: 'killed', killedBy: [id], failureMessage: failure, nrOfTests };
      break;
    }
    const soon = new Promise((done) => setTimeout(done, LIMIT_MS).unref());
    await Promise.race([this.#vitest.leave(entered), soon]).catch(() => {});
    return killed ?? { status: 'survived', nrOfTests };
  }

  async #run(test, entered, limitMs) {
    const before = performance.now();
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('it takes too long')), limitMs);
    });
    let failure;
    try {
      await Promise.race([this.#vitest.runTest(test, entered), late]);
    } catch (error) {
      failure = String(error?.stack ?? error);
    }
    clearTimeout(timer);
    return { failure, timeSpentMs: performance.now() - before };
  }
}

/** Whether a mutant is in the sample that `MUTATION_SHARE` asks for: always the same ones. */
function isInSample(key) {
  const hash = [...key].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return hash % 1000 < 1000 * Number(MUTATION_SHARE);
}

function entriesOf(path) {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', injectableClass: InProcessRunner }];
