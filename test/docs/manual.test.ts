import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { COMMANDS, toFlags } from '../../src/cli/command-specs.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { EXIT_MEANINGS } from '../../src/cli/help.ts';
import { FAILURE_KINDS } from '../../src/model/failure.ts';
import { encodeRecord } from '../../src/model/record.ts';
import type { OkResult } from '../../src/model/result.ts';
import { renewManual } from './manual.ts';
import { MANUAL, README } from './pages.ts';

const manual = await readFile(MANUAL, 'utf8');

/** A result that has every key of the record. */
const WHOLE: Required<Omit<OkResult, 'failure' | 'isResumed' | 'anchors' | 'request'>> = {
  index: 0,
  source: 'urls.txt',
  line: 1,
  column: 1,
  input: 'a',
  id: 'one',
  url: 'http://a/',
  finalUrl: 'http://b/',
  method: 'GET',
  ok: true,
  status: 200,
  attempts: 1,
  redirects: [],
  bytes: 1,
  truncated: false,
  lenient: true,
  decidedBy: 'GET',
  contentType: 'text/html',
  startedAt: 0,
  durationMs: 1,
  totalMs: 1,
  headers: {},
  address: '127.0.0.1:443',
  tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' },
  title: 'A page',
  ttfbMs: 1,
  body: { bytes: 1 },
  file: 'existing',
  warning: { kind: 'blocked', message: '' },
  baseline: 'known',
  badRuns: 1,
  worker: 'host-1',
};

/** Returns the first cells of the tables below a heading, up to the next heading. */
function firstCells(heading: string): readonly string[] {
  const [, rest = ''] = manual.split(`\n## ${heading}\n`);
  return [...(rest.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)` \|/gm)].map(([, cell = '']) => cell);
}

describe('docs/manual.md', () => {
  it('matches the tables of options', () => {
    const isRenewed = renewManual(manual, COMMANDS) === manual;
    const advice = 'docs/manual.md is out of date: run "npm run manual", and commit what it has changed';
    expect(isRenewed, advice).toBe(true);
  });

  it.each(COMMANDS)('has every flag of fanout $name', ({ name, options }) => {
    const [, rest = ''] = manual.split(`\n## fanout ${name}\n`);
    const chapter = rest.split('\n## ')[0] ?? '';
    for (const { spelling } of toFlags(options)) {
      expect(chapter).toContain(`\n| \`${spelling.replaceAll('|', '\\|')}\` |`);
    }
  });

  it('describes each key of the record', () => {
    const record = Object.keys(JSON.parse(encodeRecord(WHOLE)));
    expect(new Set(firstCells('The record'))).toEqual(new Set([...record, 'failure']));
  });

  it('describes each kind of failure', () => {
    expect(firstCells('Kinds of failure')).toEqual(FAILURE_KINDS);
  });
});

describe('renewManual()', () => {
  const [mark = ''] = /^<!-- From here.*-->$/m.exec(manual) ?? [];

  it('keeps the text outside the marks', () => {
    const page = `before\n${mark}\nold\n<!-- Here ends what is made. -->\nafter\n`;
    const renewed = renewManual(page, []);
    expect(renewed).toMatch(/^before\n<!--/);
    expect(renewed).toMatch(/-->\nafter\n$/);
    expect(renewed).not.toContain('old');
  });

  it('refuses a page without marks', () => {
    expect(() => renewManual('page', [])).toThrow(
      'Cannot make the manual: docs/manual.md must have the marks',
    );
  });
});

describe('README.md', () => {
  it('has the exit codes that the program gives', async () => {
    const [, rest = ''] = (await readFile(README, 'utf8')).split('\n## Exit codes\n');
    const codes = [...(rest.split('\n## ')[0] ?? '').matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(
      ([, cell = '']) => cell.split(', ').map(Number),
    );
    expect(codes).toEqual(Object.values(EXIT));
    expect(rest).toContain(`| ${EXIT.accounting} | ${EXIT_MEANINGS.accounting} |`);
  });
});
