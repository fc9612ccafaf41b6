import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readChunks } from '../../src/input/read-stream.ts';
import { InputError } from '../../src/model/errors.ts';
import { cutAnyhow, cuts, edited, edits, listBytes } from '../arbitrary/bytes.ts';
import { runs } from '../arbitrary/runs.ts';

test('readChunks() yields any bytes unchanged, unpacks them if they are gzip, or throws an error that names the input', async () => {
  const bytes = fc.oneof(
    listBytes,
    listBytes.map((plain) => gzipSync(plain)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.oneof(fc.constant([]), edits), cuts, async (good, changes, places) => {
      const given = edited(good, changes);
      const out: Buffer[] = [];
      try {
        const pieces = cutAnyhow(given, places).filter((piece) => piece.length > 0);
        for await (const chunk of readChunks(Readable.from(pieces), 'urls.txt')) out.push(chunk);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        expect(String(error)).toMatch(/^InputError: cannot (read|unpack) "urls.txt": /);
        return;
      }
      const isUtf16 = given[0] === 0xff || given[0] === 0xfe;
      if (!isUtf16 && (given[0] !== 0x1f || given[1] !== 0x8b)) expect(Buffer.concat(out)).toEqual(given);
    }),
    runs(60),
  );
});
