import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { sizeViolations, violations } from './check.ts';
import { sourceFiles } from './source-file.ts';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));
const TESTS = fileURLToPath(new URL('..', import.meta.url));

test('src keeps the rules of its layers', () => {
  const files = sourceFiles(SRC);
  expect(files.length).toBeGreaterThan(100);
  expect(violations(files, sourceFiles(TESTS))).toEqual([]);
});

test('src has few files, and not very small ones', () => {
  expect(sizeViolations(sourceFiles(SRC))).toEqual([]);
});

/** A file that is not too small. */
const LONG = '\n'.repeat(30);
const padded = (path: string, text: string) => ({ path, text: `${text}${LONG}export const end = 1;\n` });

describe('violations()', () => {
  const CLEAN = [
    padded('model/job.ts', "import type { Url } from './url.ts';\nexport const job = 1;\n"),
    padded(
      'model/url.ts',
      "// process.env and Math.random are words here, './job.ts' too\nexport const url = 'console.log';\n",
    ),
    padded('input/read.ts', "import { job } from '../model/job.ts';\nimport { open } from 'node:fs';\n"),
    padded('http/agent.ts', "import { Client } from 'undici';\nimport { body } from '../bodies/body.ts';\n"),
    padded(
      'cli/main.ts',
      "import chalk from 'chalk';\nimport { job } from '../model/job.ts';\nprocess.exitCode = 1;\n",
    ),
    padded('cli/commands/fetch.ts', "import { main } from '../main.ts';\n"),
    padded('results/fetch.ts', ''),
    padded('core/clock.ts', 'export const now = () => performance.now();\n'),
  ];

  it('finds nothing in a tree that keeps the rules', () => {
    expect(violations(CLEAN)).toEqual([]);
  });

  it.each([
    [
      'a value from a higher layer',
      'model/a.ts',
      "import { a } from '../core/channel.ts';",
      'model/a.ts: imports ../core/channel.ts; core is in a higher layer',
    ],
    [
      'a type from a higher layer',
      'http/a.ts',
      "import type { Run } from '../fetch/run.ts';",
      'http/a.ts: imports ../fetch/run.ts; fetch is in a higher layer',
    ],
    [
      'an import over several lines from a folder beside it',
      'input/a.ts',
      "import {\n  a,\n  b,\n} from '../config/option.ts';",
      'input/a.ts: imports ../config/option.ts; config is in the same layer',
    ],
    [
      'a bare import from a folder beside it',
      'journal/a.ts',
      "import '../output/text.ts';",
      'journal/a.ts: imports ../output/text.ts; output is in the same layer',
    ],
    [
      'export from a folder beside it',
      'output/a.ts',
      "export * from '../journal/journal.ts';",
      'output/a.ts: imports ../journal/journal.ts; journal is in the same layer',
    ],
    [
      'import() from a higher layer',
      'hosts/a.ts',
      "const a = await import('../http/agent.ts');",
      'hosts/a.ts: imports ../http/agent.ts; http is in a higher layer',
    ],
    [
      'the library from a folder',
      'cli/a.ts',
      "import { fanout } from '../index.ts';",
      'cli/a.ts: imports ../index.ts; index.ts is in the same layer',
    ],
    [
      'a package of another folder',
      'model/a.ts',
      "import { request } from 'undici';",
      'model/a.ts: imports undici; model may not import the package undici',
    ],
    [
      'the inside of a package of another folder',
      'cli/a.ts',
      "import Client from 'undici/lib/client.js';",
      'cli/a.ts: imports undici/lib/client.js; cli may not import the package undici',
    ],
    [
      'a package with a scope',
      'cli/a.ts',
      "import x from '@scope/thing/part';",
      'cli/a.ts: imports @scope/thing/part; cli may not import the package @scope/thing',
    ],
    [
      'node:process below cli',
      'output/a.ts',
      "import process from 'node:process';",
      'output/a.ts: imports node:process; below cli the world is handed in',
    ],
    [
      'the process below cli',
      'http/a.ts',
      'if (process.env.CI) a();',
      'http/a.ts: uses process; below cli the world is handed in',
    ],
    [
      'the console below cli',
      'http/a.ts',
      'console.log(1);',
      'http/a.ts: uses console; below cli the world is handed in',
    ],
    [
      'the clock below cli',
      'hosts/a.ts',
      'const at = Date.now();',
      'hosts/a.ts: uses Date.now; below cli the world is handed in',
    ],
    [
      'chance below cli',
      'hosts/a.ts',
      'const at = Math.random();',
      'hosts/a.ts: uses Math.random; below cli the world is handed in',
    ],
    [
      'the timer of the machine outside core/clock.ts',
      'core/a.ts',
      'const at = performance.now();',
      'core/a.ts: uses performance; below cli the world is handed in',
    ],
    ['a file called utils', 'model/utils.ts', '', 'model/utils.ts: the name does not say what the file is'],
    [
      'a file in a folder called helpers',
      'model/helpers/a.ts',
      '',
      'model/helpers/a.ts: the name does not say what the file is',
    ],
    [
      'a file called open-…',
      'fetch/open-network.ts',
      '',
      'fetch/open-network.ts: the name does not say what the file is',
    ],
    [
      'a file called …-of',
      'fetch/tasks-of.ts',
      '',
      'fetch/tasks-of.ts: the name does not say what the file is',
    ],
    [
      'a file called …-parts',
      'cluster/collector-parts.ts',
      '',
      'cluster/collector-parts.ts: the name does not say what the file is',
    ],
    ['an unknown folder', 'attic/a.ts', '', 'attic/a.ts: attic is not in the array of layers'],
    ['a file at the root', 'engine.ts', '', 'engine.ts: only index.ts lies at the root of src'],
    ['a second file of one name', 'http/job.ts', '', 'http/job.ts: has the name of model/job.ts'],
  ])('finds %s: %s', (_, path, text, message) => {
    expect(violations([...CLEAN, padded(path, text)])).toContain(message);
  });

  it('finds a file of more than 500 lines', () => {
    const files = [500, 501].map((lines) => ({ path: `model/with-${lines}.ts`, text: 'a;\n'.repeat(lines) }));
    expect(violations(files)).toEqual(['model/with-501.ts: has 501 lines; the limit is 500']);
  });

  it('finds a file of less than 30 lines that one other imports', () => {
    const small = (path: string, lines: number) => ({ path, text: 'a;\n'.repeat(lines) });
    const importing = (path: string, ...names: string[]) =>
      padded(path, names.map((name) => `import './${name}.ts';\n`).join(''));
    const files = [
      small('model/small.ts', 29),
      small('model/shared.ts', 29),
      small('model/unused.ts', 29),
      small('model/long.ts', 30),
      importing('model/a.ts', 'small', 'shared', 'long'),
      importing('model/b.ts', 'shared'),
    ];
    expect(violations(files)).toEqual([
      'model/small.ts: has 29 lines and one importer, model/a.ts; merge them',
    ]);
  });

  it('finds a circle of imports, also in one folder and also of types', () => {
    const circle = [
      padded('model/a.ts', "import { b } from './b.ts';"),
      padded('model/b.ts', "import type { c } from './deep/c.ts';"),
      padded('model/deep/c.ts', "export { a } from '../a.ts';"),
    ];
    expect(violations([...CLEAN, ...circle])).toEqual([
      'model/a.ts: circular import: model/a.ts → model/b.ts → model/deep/c.ts → model/a.ts',
    ]);
  });

  describe('on an interface that another folder imports', () => {
    const lone = 'core/queue.ts: interface Queue has one implementation; use the class';
    const declared = padded('core/queue.ts', 'export interface Queue {\n  take(): number;\n}\n');
    const importing = padded('http/pool.ts', "import type { Queue } from '../core/queue.ts';\n");
    const implemented = (name: string) =>
      padded(
        `hosts/${name}.ts`,
        "import type { Other, Queue } from '../core/queue.ts';\nexport class A implements Other, Queue {\n",
      );

    it('finds that it has one implementation', () => {
      expect(violations([declared, importing, implemented('a')])).toEqual([lone]);
    });

    it.each([
      ['no implementation, being a shape of data', [declared, importing], []],
      ['a second implementation', [declared, importing, implemented('a'), implemented('b')], []],
      [
        'a second implementation in a test',
        [declared, importing, implemented('a')],
        [padded('core/a-queue.ts', 'const queue: Queue = { take: () => 1 };\n')],
      ],
      [
        'no importer in another folder',
        [declared, padded('core/list.ts', 'class A implements Queue {\n')],
        [],
      ],
    ])('accepts %s', (_, files, tests) => {
      expect(violations(files, tests)).toEqual([]);
    });
  });
});

describe('sizeViolations()', () => {
  const files = (count: number, lines: number) =>
    Array.from({ length: count }, (_, at) => ({ path: `model/a${at}.ts`, text: 'a;\n'.repeat(lines) }));

  it('finds more than 200 files', () => {
    expect(sizeViolations(files(200, 90))).toEqual([]);
    expect(sizeViolations(files(201, 90))).toEqual(['src has 201 files; at most 200 are allowed']);
  });

  it('finds that half of the files have less than 90 lines', () => {
    expect(sizeViolations(files(3, 89))).toEqual(['the median file has 89 lines; at least 90 are wanted']);
  });
});
