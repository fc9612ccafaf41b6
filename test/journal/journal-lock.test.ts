import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { currentHolder, isFromHere, JournalLock, lockFileName } from '../../src/journal/journal-lock.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';

const self = currentHolder(process);

/** The path of a journal whose lock contains this file. */
async function lockedBy(name: string | undefined): Promise<string> {
  const path = join(await tempDir(), 'journal');
  await mkdir(`${path}.lock`);
  if (name !== undefined) await writeFile(join(`${path}.lock`, name), '');
  return path;
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('a lock has one holder at a time, and leaves nothing behind', async () => {
  const dir = await tempDir();
  const path = join(dir, 'journal');
  const lock = await JournalLock.acquire(path, process);
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(UsageError);
  expect(await readdir(dir)).toEqual(['journal.lock']);
  await lock.release();
  expect(await readdir(dir)).toEqual([]);
  await (await JournalLock.acquire(path, process)).release();
});

test('the error names the file, the pid of the holder and the remedy', async () => {
  const path = join(await tempDir(), 'journal');
  const lock = await JournalLock.acquire(path, process);
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(
    `cannot use "${path}" as the journal: the run with pid ${process.pid} on ${hostname()} is using it; ` +
      `wait until it has ended, or remove "${path}.lock" if it has`,
  );
  await lock.release();
});

test('the lock of a dead process is taken over', async () => {
  const path = await lockedBy(lockFileName({ ...self, pid: await deadPid() }));
  await (await JournalLock.acquire(path, process)).release();
});

test.runIf(self.started !== '0')('the lock of a process whose pid was reused is taken over', async () => {
  const path = await lockedBy(lockFileName({ ...self, started: String(Number(self.started) - 1) }));
  await (await JournalLock.acquire(path, process)).release();
});

/** A short watch, for a holder that never writes. */
const SHORT = { beatMs: 2, watchMs: 20 };

/** Holders that cannot be looked up here, though each has a pid of a running process. */
const ELSEWHERE = {
  'another machine': { ...self, boot: '00000000', host: 'elsewhere' },
  'another machine with the same host name': { ...self, boot: '00000000' },
  'another container with the same host name, pid and start': { ...self, boot: `${self.boot}ab` },
  'an earlier boot': { ...self, boot: '00000000', pid: 1 },
};

test.each(Object.entries(ELSEWHERE))(
  'the lock of a process that died on %s is taken over',
  async (_, holder) => {
    const path = await lockedBy(lockFileName(holder));
    const messages: string[] = [];
    const onWait = (message: string) => void messages.push(message);
    await (await JournalLock.acquire(path, process, { ...SHORT, onWait })).release();
    expect(messages).toEqual([
      `waiting up to 0.02s to see whether the run with pid ${holder.pid} on ${holder.host} still uses the journal`,
    ]);
  },
);

test.each(Object.entries(ELSEWHERE))(
  'the lock of a running process on %s is never taken over',
  async (_, holder) => {
    const name = lockFileName(holder);
    const path = await lockedBy(name);
    let beats = 0;
    const beating = setInterval(() => writeFile(join(`${path}.lock`, name), String(++beats)), 5);
    await expect(JournalLock.acquire(path, process, { beatMs: 20, watchMs: 600_000 })).rejects.toThrow(
      `the run with pid ${holder.pid} on ${holder.host} is using it`,
    );
    clearInterval(beating);
  },
);

test.each([
  ['here', { boot: '12ab', host: 'a' }, true],
  ['here, before the host was renamed', { boot: '12ab', host: 'b' }, true],
  ['before a reboot', { boot: '34cd', host: 'a' }, false],
  ['on a system without an id of the boot', { boot: '0', host: 'a' }, false],
])('a process that was started %s is or is not looked up here', (_, holder, expected) => {
  expect(isFromHere(holder, { boot: '12ab', host: 'a' })).toBe(expected);
});

test('on a system without an id of the boot, only processes of the same host are looked up', () => {
  const here = { boot: '0', host: 'a' };
  expect(isFromHere({ boot: '0', host: 'a' }, here)).toBe(true);
  expect(isFromHere({ boot: '0', host: 'b' }, here)).toBe(false);
  expect(isFromHere({ boot: '12ab', host: 'a' }, here)).toBe(false);
});

test('a lock that is released while it is watched is free', async () => {
  const name = lockFileName(ELSEWHERE['another machine']);
  const path = await lockedBy(name);
  const onWait = () => void unlink(join(`${path}.lock`, name));
  await (await JournalLock.acquire(path, process, { beatMs: 20, watchMs: 600_000, onWait })).release();
});

test('the holder writes to its lock, and stops when it is released', async () => {
  const path = join(await tempDir(), 'journal');
  const lock = await JournalLock.acquire(path, process, { beatMs: 2 });
  const [name = ''] = await readdir(`${path}.lock`);
  await vi.waitFor(async () =>
    expect(Number(await readFile(join(`${path}.lock`, name), 'utf8'))).toBeGreaterThan(2),
  );
  await lock.release();
  expect(await readdir(join(path, '..'))).toEqual([]);
});

test('a holder whose lock was taken over learns of it, and does not write to the lock again', async () => {
  const path = join(await tempDir(), 'journal');
  let lost = 0;
  const isLost = new Promise<void>((resolve) => {
    const onLost = () => {
      lost += 1;
      resolve();
    };
    void JournalLock.acquire(path, process, { beatMs: 2, onLost }).then(async () => {
      const [name = ''] = await readdir(`${path}.lock`);
      await rename(join(`${path}.lock`, name), join(`${path}.lock`, lockFileName({ ...self, pid: 1 })));
    });
  });
  await isLost;
  const [entry = ''] = await readdir(`${path}.lock`);
  expect([lost, entry]).toEqual([1, expect.stringMatching(/^1-/)]);
});

test('a link with the name of the lock is refused, and nothing is changed through it', async () => {
  const directory = await tempDir();
  const path = join(directory, 'journal');
  const outside = join(directory, 'outside');
  await mkdir(outside);
  const stale = lockFileName({ ...self, pid: await deadPid() });
  await writeFile(join(outside, stale), '');
  await symlink(outside, `${path}.lock`);
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(
    new UsageError(`cannot lock "${path}.lock": not a directory`),
  );
  expect(await readdir(outside)).toEqual([stale]);
});

test.runIf(self.started !== '0')('the lock of a zombie process is taken over', async () => {
  // The shell replaces itself with a parent that never waits for its child.
  const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000']);
  const [text] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(text);
  const started = (await readFile(`/proc/${pid}/stat`, 'latin1')).split(') ')[1]?.split(' ')[19];
  const path = await lockedBy(lockFileName({ ...self, pid, started: started ?? '' }));
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(`pid ${pid}`);
  process.kill(pid, 'SIGKILL');
  while (!(await readFile(`/proc/${pid}/stat`, 'latin1')).includes(') Z ')) await new Promise(setImmediate);
  await (await JournalLock.acquire(path, process)).release();
  parent.kill('SIGKILL');
  await once(parent, 'exit');
});

test('without /proc, a process that accepts signals is alive', async () => {
  const pid = 2 ** 30; // higher than any real pid
  const path = await lockedBy(lockFileName({ ...self, pid, started: '0' }));
  const dead = Object.assign(new Error(), { code: 'ESRCH' });
  const foreign = Object.assign(new Error(), { code: 'EPERM' });
  const withKill = (kill: () => true) => ({ pid: process.pid, kill });
  const fail = (error: Error) => (): true => {
    throw error;
  };
  await expect(JournalLock.acquire(path, withKill(() => true))).rejects.toThrow(`pid ${pid}`); // biome-ignore format: one line each
  await expect(JournalLock.acquire(path, withKill(fail(foreign)))).rejects.toThrow(`pid ${pid}`);
  await (await JournalLock.acquire(path, withKill(fail(dead)))).release();
});

test('an empty lock, whose process died while it created or released it, is taken over', async () => {
  await (await JournalLock.acquire(await lockedBy(undefined), process)).release();
});

test('a file of another program in the lock is not removed', async () => {
  const ours = lockFileName({ ...self, pid: await deadPid() });
  for (const name of ['notes.txt', `x${ours}`, '1-2', ours.replace(/-\d+-/, '-x-')]) {
    const path = await lockedBy(name);
    await expect(JournalLock.acquire(path, process)).rejects.toThrow(`another program is using it`);
    expect(await readdir(`${path}.lock`)).toEqual([name]);
  }
});

test('a file with the name of the lock is an error that names it', async () => {
  const path = join(await tempDir(), 'journal');
  await writeFile(`${path}.lock`, '');
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(
    new UsageError(`cannot lock "${path}.lock": not a directory`),
  );
  await expect(JournalLock.acquire(path, process)).rejects.toMatchObject({ cause: { code: 'ENOTDIR' } });
});

test('of many processes that start at once one takes over the lock of a dead process', async () => {
  const pid = await deadPid();
  for (let round = 0; round < 20; round++) {
    const path = await lockedBy(round % 2 === 0 ? lockFileName({ ...self, pid }) : undefined);
    const taken = await Promise.allSettled(
      Array.from({ length: 8 }, () => JournalLock.acquire(path, process)),
    );
    const locks = taken.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
    expect(await readdir(join(path, '..'))).toEqual([]);
  }
});

test('a contended lock never has two holders', async () => {
  const path = join(await tempDir(), 'journal');
  let holders = 0;
  let taken = 0;
  const contend = async (): Promise<void> => {
    while (taken < 100) {
      const lock = await JournalLock.acquire(path, process).catch((error: unknown) => {
        expect(error).toBeInstanceOf(UsageError);
      });
      if (lock === undefined) continue;
      taken++;
      expect(++holders).toBe(1);
      await new Promise(setImmediate);
      holders--;
      await lock.release();
    }
  };
  await Promise.all([contend(), contend(), contend(), contend()]);
});
