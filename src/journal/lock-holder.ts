import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { errorCode } from '../model/error-code.ts';

/** What is needed of `process`. */
export type Processes = Pick<NodeJS.Process, 'pid' | 'kill'>;

/**
 * A process that holds a lock. A pid is given again after a while, so it says little alone: on Linux the time at which
 * the process was started, and the boot since which that time counts, tell it from a later one.
 */
export interface LockHolder {
  readonly pid: number;
  /** In clock ticks since the boot, `0` where the system does not tell. */
  readonly started: string;
  /** The start of the kernel's boot id, `0` where there is none. */
  readonly boot: string;
  /** As far as it fits into a file name. */
  readonly host: string;
}

/** The process itself. */
export function thisHolder({ pid }: Processes): LockHolder {
  return { pid, started: processState(pid)?.started ?? '0', boot: bootId(), host: hostName() };
}

/** A file name that holds a holder, and that nobody else ever makes. */
export function nameOf({ pid, started, boot, host }: LockHolder): string {
  const ticket = randomBytes(6).toString('hex');
  return `${pid}-${started}-${boot}-${ticket}-${host}`;
}

/** The holder in such a name, or `undefined` if it is none. */
export function holderIn(name: string): LockHolder | undefined {
  const [, pid, started, boot, host] = /^(\d+)-(\d+)-([0-9a-f]+)-[0-9a-f]+-(.*)$/.exec(name) ?? [];
  if (pid === undefined || started === undefined || boot === undefined || host === undefined)
    return undefined;
  return { pid: Number(pid), started, boot, host };
}

/** Whether a holder may still run. One on another machine may: only that machine could tell. */
export function mayRun(holder: LockHolder, processes: Processes): boolean {
  const boot = bootId();
  if (holder.boot !== boot) return holder.host !== hostName();
  const state = processState(holder.pid);
  if (state === undefined) return answers(holder.pid, processes);
  return state.isAlive && state.started === holder.started;
}

function answers(pid: number, processes: Processes): boolean {
  try {
    return processes.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH'; // EPERM is one of another user
  }
}

/** From `/proc/PID/stat`; `undefined` of a process that does not exist, or a system that has no such file. */
function processState(pid: number): { readonly isAlive: boolean; readonly started: string } | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // The second field is the name of the program in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const started = fields[19];
  return started === undefined ? undefined : { isAlive: !/^[ZXx]$/.test(fields[0] ?? ''), started };
}

function bootId(): string {
  return textOf('/proc/sys/kernel/random/boot_id').slice(0, 8) || '0';
}

function hostName(): string {
  return hostname()
    .replace(/[^\w.-]/g, '_')
    .slice(0, 150);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
