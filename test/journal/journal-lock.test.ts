import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { currentHolder, JournalLock, lockFileName } from '../../src/journal/journal-lock.ts';
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

test.runIf(self.boot !== '0')('a lock from before the last boot is taken over', async () => {
  const path = await lockedBy(lockFileName({ ...self, boot: '00000000' }));
  await (await JournalLock.acquire(path, process)).release();
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

test('the lock of another machine is never taken over', async () => {
  const path = await lockedBy(lockFileName({ ...self, pid: 1, boot: '00000000', host: 'elsewhere' }));
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(
    'the run with pid 1 on elsewhere is using it',
  );
});

test('an empty lock, whose process died while it created or released it, is taken over', async () => {
  await (await JournalLock.acquire(await lockedBy(undefined), process)).release();
});

test('a file of another program in the lock is not removed', async () => {
  const path = await lockedBy('notes.txt');
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(`another program is using it`);
  expect(await readdir(`${path}.lock`)).toEqual(['notes.txt']);
});

test('a file with the name of the lock is an error that names it', async () => {
  const path = join(await tempDir(), 'journal');
  await writeFile(`${path}.lock`, '');
  await expect(JournalLock.acquire(path, process)).rejects.toThrow(
    `cannot lock "${path}.lock": not a directory`,
  );
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
