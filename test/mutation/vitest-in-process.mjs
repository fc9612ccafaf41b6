import {
  ASYMMETRIC_MATCHERS_OBJECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';
import * as chai from 'chai';

/** What the tests import in place of `vitest`: it collects them, and `in-process-runner.mjs` runs them. */

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** The tests of all files that were imported, in their order. */
export const tests = [];

const root = { name: '', parent: undefined, beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] };
let suite = root;
let finished = [];

const withoutOptions = (args) => args.filter((arg) => typeof arg === 'function').at(-1);
const timeoutOf = (args) =>
  args.find((arg) => typeof arg === 'number') ?? args.find((arg) => arg?.timeout)?.timeout;

function addTest(name, ...args) {
  const full = [suite.name, String(name?.name ?? name)].filter(Boolean).join(' > ');
  tests.push({
    name: `${full} #${tests.length}`,
    suite,
    body: withoutOptions(args),
    timeoutMs: timeoutOf(args),
  });
}

function addSuite(name, ...args) {
  const outer = suite;
  const full = [outer.name, String(name?.name ?? name)].filter(Boolean).join(' > ');
  suite = { name: full, parent: outer, beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] };
  withoutOptions(args)();
  suite = outer;
}

function withModes(add) {
  const each =
    (table) =>
    (name, ...args) => {
      const body = withoutOptions(args);
      const isTable = table.every(Array.isArray);
      for (const row of table)
        add(name, () => body(...(isTable ? row : [row])), ...args.filter((arg) => arg !== body));
    };
  const skip = () => {};
  return Object.assign((...args) => add(...args), {
    each,
    skip: Object.assign(skip, { each: () => skip }),
    skipIf: (condition) => (condition ? withModes(skip) : withModes(add)),
    runIf: (condition) => (condition ? withModes(add) : withModes(skip)),
  });
}

export const test = withModes(addTest);
export const it = test;
export const describe = withModes(addSuite);
export const beforeAll = (hook) => suite.beforeAll.push(hook);
export const afterAll = (hook) => suite.afterAll.push(hook);
export const beforeEach = (hook) => suite.beforeEach.push(hook);
export const afterEach = (hook) => suite.afterEach.push(hook);
export const onTestFinished = (hook) => finished.push(hook);

const fluent = new Proxy(() => fluent, { get: () => fluent });
export const expectTypeOf = fluent;

export const expect = Object.assign((value, message) => chai.expect(value, message), chai.expect);
Object.assign(expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT]);
expect.unreachable = (message = '') => chai.assert.fail(`expected ${message} not to be reached`);
expect.poll = (read, { timeout = 1000, interval = 50 } = {}) => poller([], read, timeout, interval);

function poller(path, read, timeout, interval) {
  return new Proxy(() => {}, {
    get: (_, key) => poller([...path, key], read, timeout, interval),
    apply: (_, __, args) => {
      const check = async () => {
        const target = path.slice(0, -1).reduce((value, key) => value[key], expect(await read()));
        return target[path.at(-1)](...args);
      };
      return waitFor(check, { timeout, interval });
    },
  });
}

async function waitFor(check, { timeout = 1000, interval = 50 } = {}) {
  const end = performance.now() + timeout;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  }
}

export const vi = { waitFor };

/** The suites around a test, the outermost first. */
function suitesOf({ suite: own }) {
  const all = [];
  for (let one = own; one !== undefined; one = one.parent) all.unshift(one);
  return all;
}

/** Runs a test with what belongs to it; rejects as it does. */
export async function runTest(one, entered) {
  const suites = suitesOf(one);
  for (const each of suites) {
    if (entered.has(each)) continue;
    entered.add(each);
    for (const hook of each.beforeAll) await hook();
  }
  finished = [];
  const own = finished;
  try {
    for (const each of suites) for (const hook of each.beforeEach) await hook();
    await one.body({});
  } finally {
    for (const each of suites.toReversed()) for (const hook of each.afterEach) await hook();
    for (const hook of own.toReversed()) await hook();
  }
}

export async function leave(entered) {
  for (const each of [...entered].toReversed()) for (const hook of each.afterAll) await hook();
}
