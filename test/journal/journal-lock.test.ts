import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JournalLock, nameOf, thisHolder } from '../../src/journal/journal-lock.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';

const self = thisHolder(process);

/** A journal whose lock has this entry. */
async function locked(entry: string | undefined): Promise<string> {
  const path = join(await tempDir(), 'journal');
  await mkdir(`${path}.lock`);
  if (entry !== undefined) await writeFile(join(`${path}.lock`, entry), '');
  return path;
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('a lock is held by one at a time, and leaves nothing behind', async () => {
  const dir = await tempDir();
  const path = join(dir, 'journal');
  const lock = await JournalLock.take(path, process);
  await expect(JournalLock.take(path, process)).rejects.toThrow(UsageError);
  expect(await readdir(dir)).toEqual(['journal.lock']);
  await lock.release();
  expect(await readdir(dir)).toEqual([]);
  await (await JournalLock.take(path, process)).release();
});

test('who is refused is told the file, the pid and what to do', async () => {
  const path = join(await tempDir(), 'journal');
  const lock = await JournalLock.take(path, process);
  await expect(JournalLock.take(path, process)).rejects.toThrow(
    `Cannot use "${path}" as the journal: the run with pid ${process.pid} on ${hostname()} is using it; ` +
      `wait until it has ended, or remove "${path}.lock" if it has`,
  );
  await lock.release();
});

test('the lock of a process that is dead is taken over', async () => {
  const path = await locked(nameOf({ ...self, pid: await deadPid() }));
  await (await JournalLock.take(path, process)).release();
});

test.runIf(self.started !== '0')(
  'the lock of a process whose pid was given again is taken over',
  async () => {
    const path = await locked(nameOf({ ...self, started: String(Number(self.started) - 1) }));
    await (await JournalLock.take(path, process)).release();
  },
);

test.runIf(self.boot !== '0')('a lock from before the last boot is taken over', async () => {
  const path = await locked(nameOf({ ...self, boot: '00000000' }));
  await (await JournalLock.take(path, process)).release();
});

test.runIf(self.started !== '0')(
  'the lock of a killed child that nobody has waited for is taken over',
  async () => {
    // The shell replaces itself, so its child has a parent that never waits.
    const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000']);
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(text);
    const started = (await readFile(`/proc/${pid}/stat`, 'latin1')).split(') ')[1]?.split(' ')[19];
    const path = await locked(nameOf({ ...self, pid, started: started ?? '' }));
    await expect(JournalLock.take(path, process)).rejects.toThrow(`pid ${pid}`);
    process.kill(pid, 'SIGKILL');
    while (!(await readFile(`/proc/${pid}/stat`, 'latin1')).includes(') Z ')) await new Promise(setImmediate);
    await (await JournalLock.take(path, process)).release();
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  },
);

test('where the system shows no processes, one that answers to its pid is alive', async () => {
  const pid = 2 ** 30; // no system has as many
  const path = await locked(nameOf({ ...self, pid, started: '0' }));
  const dead = Object.assign(new Error(), { code: 'ESRCH' });
  const foreign = Object.assign(new Error(), { code: 'EPERM' });
  const answering = (answer: () => true) => ({ pid: process.pid, kill: answer });
  const fail = (error: Error) => (): true => {
    throw error;
  };
  await expect(JournalLock.take(path, answering(() => true))).rejects.toThrow(`pid ${pid}`); // biome-ignore format: one line each
  await expect(JournalLock.take(path, answering(fail(foreign)))).rejects.toThrow(`pid ${pid}`);
  await (await JournalLock.take(path, answering(fail(dead)))).release();
});

test('the lock of another machine stands, since only that machine can tell', async () => {
  const path = await locked(nameOf({ ...self, pid: 1, boot: '00000000', host: 'elsewhere' }));
  await expect(JournalLock.take(path, process)).rejects.toThrow(
    'the run with pid 1 on elsewhere is using it',
  );
});

test('a lock that was being made or released when its process died is taken over', async () => {
  await (await JournalLock.take(await locked(undefined), process)).release();
});

test('a file of somebody else in the place of the lock is left alone', async () => {
  const path = await locked('notes.txt');
  await expect(JournalLock.take(path, process)).rejects.toThrow(`another program is using it`);
  expect(await readdir(`${path}.lock`)).toEqual(['notes.txt']);
});

test('a file where the lock should be is an error that names it', async () => {
  const path = join(await tempDir(), 'journal');
  await writeFile(`${path}.lock`, '');
  await expect(JournalLock.take(path, process)).rejects.toThrow(
    `Cannot lock "${path}.lock": not a directory`,
  );
});

test('of many that start at once over the lock of a dead process one gets it, each time', async () => {
  const pid = await deadPid();
  for (let round = 0; round < 20; round++) {
    const path = await locked(round % 2 === 0 ? nameOf({ ...self, pid }) : undefined);
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => JournalLock.take(path, process)));
    const locks = taken.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
    expect(await readdir(join(path, '..'))).toEqual([]);
  }
});

test('a lock goes from one to the next, and never to two', async () => {
  const path = join(await tempDir(), 'journal');
  let holders = 0;
  let taken = 0;
  const contend = async (): Promise<void> => {
    while (taken < 100) {
      const lock = await JournalLock.take(path, process).catch((error: unknown) => {
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
