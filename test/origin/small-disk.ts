import { spawnSync } from 'node:child_process';
import { BIN, type CliOptions, type CliResult, startProcess } from './run-cli.ts';

/**
 * Runs the program with a disk of `kilobytes` mounted on a directory, for itself alone: it vanishes with the program.
 * Before that, `after` (a shell command) is run there. Needs Linux, and to be root or allowed to make user namespaces.
 */
export function runOnSmallDisk(
  directory: string,
  args: readonly string[],
  {
    kilobytes,
    after = 'true',
    ...options
  }: CliOptions & { readonly kilobytes: number; readonly after?: string },
): Promise<CliResult> {
  const script = `mount -t tmpfs -o size=${kilobytes}k tmpfs "$0" && "$@"; code=$?; cd "$0" && ${after}; exit $code`;
  return startProcess(
    'unshare',
    [...namespace(), 'sh', '-c', script, directory, process.execPath, BIN, ...args],
    options,
  ).done;
}

function namespace(): readonly string[] {
  const ways = [['--mount'], ['--user', '--map-root-user', '--mount']];
  const way = ways.find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);
  if (way === undefined)
    throw new Error('a small disk needs root, or user namespaces (sysctl kernel.unprivileged_userns_clone)');
  return way;
}
