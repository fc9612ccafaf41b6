import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { HEADER_LENGTH, readHeader } from '../../src/journal/journal-format.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** What is read of a file with this text, and what the file holds then. */
async function read(text: string): Promise<{ seed: unknown; holds: string }> {
  const path = join(await tempDir(), 'journal');
  await writeFile(path, text);
  const file = await open(path, 'r+');
  onTestFinished(() => file.close());
  const seed = await readHeader(file, path).catch((error: unknown) => error);
  return { seed, holds: await readFile(path, 'utf8') };
}

const HEADER = '{"fanout":"journal","v":1,"seed":"00000001fffffffe"}\n';

test('the seed of a journal is two words of 32 bits, with their signs', async () => {
  expect(HEADER_LENGTH).toBe(HEADER.length);
  expect(await read(`${HEADER}more\n`)).toEqual({ seed: { first: 1, second: -2 }, holds: `${HEADER}more\n` });
});

test('a file that ends within its first line becomes a journal, and one that holds something else stays as it is', async () => {
  for (const length of [0, 1, 30, 40, HEADER.length - 1]) {
    const { seed, holds } = await read(HEADER.slice(0, length));
    expect(seed).toEqual({ first: expect.any(Number), second: expect.any(Number) });
    expect(holds).toMatch(/^\{"fanout":"journal","v":1,"seed":"[0-9a-f]{16}"\}\n$/);
  }
  for (const text of [
    'x',
    '{"fanout":"journal","v":2',
    `${HEADER.slice(0, -1)} `,
    HEADER.replace('fffe', 'FFFE'),
  ]) {
    const { seed, holds } = await read(text);
    expect(seed).toBeInstanceOf(UsageError);
    expect(holds).toBe(text);
  }
});

test('two new journals have two seeds', async () => {
  expect((await read('')).holds).not.toBe((await read('')).holds);
});
