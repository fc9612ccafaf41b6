import { existsSync } from 'node:fs';
import { Baseline } from '../collect/baseline.ts';
import { parseExpectation } from '../config/expectation.ts';
import { type Line, LineSplitter } from '../input/line-splitter.ts';
import { openFile } from '../input/open-file.ts';
import { jobText, parseLine } from '../input/parse-line.ts';
import { readChunks } from '../input/read-chunks.ts';
import { decodeLine } from '../model/decode-line.ts';
import { InputError } from '../model/errors.ts';
import { placeOf } from '../model/frame.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { shardsOf } from './record-files.ts';

/** A baseline as it was read. */
export interface BaselineFile {
  readonly baseline: Baseline;
  /** Whether it is a list of URLs, and no JSONL result. */
  readonly isList: boolean;
}

// A record may hold a whole body.
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/**
 * Reads a baseline: of a JSONL result, whose shards are beside it if it has any, the failures; of a list every URL.
 * `mayBeMissing`: a file that does not exist is an empty baseline. Throws an `InputError` when it cannot be read or a record is damaged.
 */
export async function readBaseline(
  path: string,
  { mayBeMissing }: { readonly mayBeMissing: boolean },
): Promise<BaselineFile> {
  const baseline = new Baseline();
  if (!existsSync(path)) {
    if (mayBeMissing) return { baseline, isList: false };
    const wish = 'it must be a JSONL result or a list of URLs; --update-baseline makes a new one';
    throw new InputError(
      `Cannot read "${printable(path, 200)}" for --baseline: there is no such file; ${wish}`,
    );
  }
  const splitter = new LineSplitter(MAX_RECORD_BYTES);
  let line = 0;
  let records = 0;
  let urls = 0;
  const add = (record: Result): void => {
    if (!record.ok) baseline.add(record);
  };
  const take = async (text: Line): Promise<void> => {
    line += 1;
    if (typeof text !== 'string') throw damaged(path, line, 'it is too long');
    if (text.startsWith('{"v":')) {
      records += 1;
      const record = decodeLine(text);
      if ('broken' in record) throw damaged(path, line, record.broken);
      if ('index' in record) return add(record);
      const found = await shardsOf(path, undefined).read(record);
      if ('fault' in found) throw damaged(path, line, `${placeOf(record)}: ${found.fault}`);
      found.forEach(add);
    } else if (jobText(text) !== undefined) {
      urls += 1;
      baseline.add(parseLine(text.trim(), { parseExpectation }));
    }
  };
  for await (const chunk of readChunks(await openFile(path), path))
    for (const text of splitter.push(chunk)) await take(text);
  for (const text of splitter.end()) await take(text);
  return { baseline, isList: records === 0 && urls > 0 };
}

function damaged(path: string, line: number, reason: string): InputError {
  return new InputError(`Cannot read ${printable(path)}:${line} as a result record: ${reason}`);
}
