import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseHostsFile, readHostsFile } from '../../src/http/dns/lookup.ts';
import { tempDir } from '../origin/temp-dir.ts';

const parsed = (text: string) => Object.fromEntries(parseHostsFile(text));

test('each name of a line has its address', () => {
  expect(parsed('127.0.0.1 localhost\n192.0.2.1\tdb  DB.Example alias.')).toEqual({
    localhost: ['127.0.0.1'],
    db: ['192.0.2.1'],
    'db.example': ['192.0.2.1'],
    alias: ['192.0.2.1'],
  });
});

test('a name of several lines has all their addresses, once each and in their order', () => {
  expect(parsed('127.0.0.1 a\n::1 a b\n127.0.0.1 a\n')).toEqual({ a: ['127.0.0.1', '::1'], b: ['::1'] });
});

test('byte-order mark, comments, CRLF and white space are no part of it', () => {
  expect(parsed('\ufeff# hosts\r\n  ::1 a # not.this\r\n\r\n')).toEqual({ a: ['::1'] });
});

test.each([
  'localhost',
  'a 127.0.0.1',
  '127.1 a',
  '999.0.0.1 a',
  '[::1] a',
  '127.0.0.1',
  '#127.0.0.1 a',
  '\0',
])('the line %j is passed over', (line) => {
  expect(parsed(`${line}\n::1 good`)).toEqual({ good: ['::1'] });
});

test('a file that is not there, or is none, holds nothing', async () => {
  const dir = await tempDir();
  expect(await readHostsFile(join(dir, 'missing'))).toEqual(new Map());
  expect(await readHostsFile(dir)).toEqual(new Map());
  await writeFile(join(dir, 'hosts'), '::1 a');
  expect(await readHostsFile(join(dir, 'hosts'))).toEqual(new Map([['a', ['::1']]]));
});

test('the file of this system knows localhost', async () => {
  expect((await readHostsFile()).get('localhost')).toContain('127.0.0.1');
});
