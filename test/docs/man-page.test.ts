import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { COMMANDS, type CommandSpec, toFlags } from '../../src/cli/command-specs.ts';
import { packageVersion } from '../../src/model/version.ts';
import { manPage } from './man-page.ts';
import { MAN_PAGE } from './pages.ts';

const run = promisify(execFile);

/** Returns the page as mandoc formats it, without bold letters. mandoc is a Debian package of that name. */
async function laidOut(): Promise<string> {
  const { stdout } = await run('mandoc', ['-Tutf8', '-O', 'width=200', MAN_PAGE]);
  return stdout.replace(/.\u0008/g, '');
}

describe('man/fanout.1', () => {
  it('matches the tables of options', async () => {
    const isRenewed = (await readFile(MAN_PAGE, 'utf8')) === manPage(COMMANDS, packageVersion());
    const advice = 'man/fanout.1 is out of date: run "npm run manual", and commit what it has changed';
    expect(isRenewed, advice).toBe(true);
  });

  it('has no fault that mandoc reports', async () => {
    const { stdout } = await run('mandoc', ['-Tlint', MAN_PAGE]);
    expect(stdout).toBe('');
  });

  it('shows every command and every flag', async () => {
    const page = await laidOut();
    const lines = new Set(page.split('\n').map((line) => line.trim()));
    for (const { name, options } of COMMANDS) {
      expect(lines).toContain(`fanout ${name}`);
      const missing = toFlags(options).filter(
        ({ spelling, long }) => !lines.has(spelling) && !page.includes(` ${long}`),
      );
      expect(missing).toEqual([]);
    }
    expect(lines).toContain('-c, --concurrency <n>');
  });
});

describe('manPage()', () => {
  it('escapes text that looks like a request to the formatter', () => {
    const spec: CommandSpec = {
      name: 'fetch',
      summary: '',
      description: `.so /etc/passwd \\n ~ ^ "x" ${'word '.repeat(20)}'quoted`,
      operands: [],
      options: {},
      examples: '',
    };
    const page = manPage([spec], '1.0.0');
    expect(page).toContain('\n\\&.so /etc/passwd \\en \\(ti \\(ha \\(dqx\\(dq word');
    expect(Math.max(...page.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
