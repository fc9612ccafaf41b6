import { describe, expect, it } from 'vitest';
import { runCli } from '../../origin/run-cli.ts';

describe('fanout completion', () => {
  it.each([
    ['bash', /\ncomplete -F _fanout fanout\n$/],
    ['zsh', /^#compdef fanout\n/],
    ['fish', /\ncomplete -c fanout -f\n/],
  ])('writes the script for %s', async (shell, script) => {
    const { code, stdout, stderr } = await runCli(['completion', shell]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(script);
    expect(stdout).toContain('per-host');
  });

  it('lists the supported shells if it gets another', async () => {
    expect(await runCli(['completion', 'tcsh'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'fanout: Cannot make completions for "tcsh": it must be one of bash, zsh, fish\n',
    });
  });

  it('requires the name of a shell', async () => {
    const { code, stdout, stderr } = await runCli(['completion']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain("Missing required argument 'shell'");
  });
});
