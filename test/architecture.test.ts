import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { violations } from './architecture/check.ts';
import { sourceFiles } from './architecture/source-file.ts';

test('imports run one way, and every file keeps the rules of its room', () => {
  const files = sourceFiles(fileURLToPath(new URL('../src', import.meta.url)));
  expect(files.length).toBeGreaterThan(100);
  expect(violations(files)).toEqual([]);
});

describe('violations()', () => {
  const CLEAN = [
    { path: 'model/job.ts', text: "import type { Url } from './url.ts';\nexport const job = 1;\n" },
    {
      path: 'model/url.ts',
      text: "// process.env and Math.random are words here, './job.ts' too\nexport const url = 'console.log';\n",
    },
    {
      path: 'input/read.ts',
      text: "import { job } from '../model/job.ts';\nimport { open } from 'node:fs';\n",
    },
    {
      path: 'http/agent.ts',
      text: "import { Client } from 'undici';\nimport { body } from '../bodies/body.ts';\n",
    },
    {
      path: 'cli/main.ts',
      text: "import chalk from 'chalk';\nimport { job } from '../model/job.ts';\nprocess.exitCode = 1;\n",
    },
    { path: 'cli/commands/fetch.ts', text: "import { main } from '../main.ts';\n" },
    { path: 'system-clock.ts', text: 'export const now = () => performance.now();\n' },
  ];

  it('finds nothing in a tree that keeps the rules', () => {
    expect(violations(CLEAN)).toEqual([]);
  });

  it.each([
    [
      'model/job.ts',
      "import { a } from '../queue/lanes.ts';",
      'model/job.ts: imports ../queue/lanes.ts; model may not import queue',
    ],
    [
      'queue/a.ts',
      "import type { Job } from '../model/job.ts';",
      'queue/a.ts: imports ../model/job.ts; queue may not import model',
    ],
    [
      'queue/a.ts',
      "export { Job } from '../model/job.ts';",
      'queue/a.ts: imports ../model/job.ts; queue may not import model',
    ],
    [
      'pool/a.ts',
      "export * from '../queue/lanes.ts';",
      'pool/a.ts: imports ../queue/lanes.ts; pool may not import queue',
    ],
    [
      'input/a.ts',
      "import {\n  a,\n  b,\n} from '../config/table.ts';",
      'input/a.ts: imports ../config/table.ts; input may not import config',
    ],
    [
      'hosts/a.ts',
      "const a = await import('../http/agent.ts');",
      'hosts/a.ts: imports ../http/agent.ts; hosts may not import http',
    ],
    [
      'http/a.ts',
      "import '../hosts/limit.ts';",
      'http/a.ts: imports ../hosts/limit.ts; http may not import hosts',
    ],
    [
      'sinks/a.ts',
      "import { run } from '../run.ts';",
      'sinks/a.ts: imports ../run.ts; sinks may not import run.ts',
    ],
    [
      'engine.ts',
      "import type { Job } from './model/job.ts';",
      'engine.ts: imports ./model/job.ts; engine.ts may not import model',
    ],
    [
      'fetcher.ts',
      "import { a } from './queue/lanes.ts';",
      'fetcher.ts: imports ./queue/lanes.ts; fetcher.ts may not import queue',
    ],
    [
      'run.ts',
      "import { a } from './cli/main.ts';",
      'run.ts: imports ./cli/main.ts; run.ts may not import cli',
    ],
    [
      'model/a.ts',
      "import { request } from 'undici';",
      'model/a.ts: imports undici; model may not import the package undici',
    ],
    [
      'cli/a.ts',
      "import Client from 'undici/lib/client.js';",
      'cli/a.ts: imports undici/lib/client.js; cli may not import the package undici',
    ],
    [
      'cli/a.ts',
      "import x from '@scope/thing/part';",
      'cli/a.ts: imports @scope/thing/part; cli may not import the package @scope/thing',
    ],
    [
      'sinks/a.ts',
      "import chalk from 'chalk';",
      'sinks/a.ts: imports chalk; sinks may not import the package chalk',
    ],
    [
      'sinks/a.ts',
      "import process from 'node:process';",
      'sinks/a.ts: imports node:process; below cli the world is handed in',
    ],
    [
      'http/a.ts',
      'if (process.env.CI) a();',
      'http/a.ts: mentions process; below cli the world is handed in',
    ],
    ['http/a.ts', 'console.log(1);', 'http/a.ts: mentions console; below cli the world is handed in'],
    [
      'hosts/a.ts',
      'const at = Date.now();',
      'hosts/a.ts: mentions Date.now; below cli the world is handed in',
    ],
    [
      'hosts/a.ts',
      'const at = Math.random();',
      'hosts/a.ts: mentions Math.random; below cli the world is handed in',
    ],
    [
      'hosts/a.ts',
      'const at = performance.now();',
      'hosts/a.ts: mentions performance; below cli the world is handed in',
    ],
    ['model/utils.ts', '', 'model/utils.ts: is named after no idea; utils, helpers and types are no names'],
    ['helpers/a.ts', '', 'helpers/a.ts: is named after no idea; utils, helpers and types are no names'],
    ['attic/a.ts', '', 'attic/a.ts: "attic" is no room of the design; add it to the table of rooms'],
  ])('finds what %s must not do: %s', (path, text, message) => {
    expect(violations([...CLEAN, { path, text }])).toContain(message);
  });

  it('finds a file of more than 200 lines', () => {
    const files = [200, 201].map((lines) => ({ path: `model/of-${lines}.ts`, text: 'a;\n'.repeat(lines) }));
    expect(violations(files)).toEqual(['model/of-201.ts: has 201 lines; a file has at most 200']);
  });

  it('finds a circle of imports, also in one room and also of types', () => {
    const circle = [
      { path: 'model/a.ts', text: "import { b } from './b.ts';" },
      { path: 'model/b.ts', text: "import type { c } from './deep/c.ts';" },
      { path: 'model/deep/c.ts', text: "export { a } from '../a.ts';" },
    ];
    expect(violations([...CLEAN, ...circle])).toEqual([
      'model/a.ts: imports itself by way of model/a.ts → model/b.ts → model/deep/c.ts → model/a.ts; imports make no circle',
    ]);
  });
});
