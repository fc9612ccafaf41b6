import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parseExpectation } from '../config/expectations.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { type Line, LineSplitter } from '../input/line-splitter.ts';
import { jobText, parseLine } from '../input/parse-job.ts';
import { openFile, readChunks } from '../input/read-stream.ts';
import { errorCode, InputError, systemReason } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { decodeLine, describeSegment } from '../model/result-line.ts';
import { AtomicFile } from '../output/atomic-file.ts';
import { baselineFileSink, flakyFileSink } from '../output/baseline-files.ts';
import { Baseline } from '../results/baseline.ts';
import { FlakyHistory, type FlakyRun } from '../results/flaky.ts';
import type { Sink } from '../results/sink.ts';
import { shardsOf } from './record-files.ts';

/** The bad runs that an earlier run left in a file, one JSON object a line; none when there is no file yet. */
async function readBadRuns(path: string): Promise<readonly FlakyRun[]> {
  const text = await textOf(path);
  return text
    .split('\n')
    .flatMap((line, index) =>
      line.trim() === '' ? [] : [parseBadRun(line, `${printable(path)}:${index + 1}`)],
    );
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw new InputError(`Cannot read ${printable(path)} for --state: ${printable(systemReason(error))}`);
  }
}

function parseBadRun(line: string, place: string): FlakyRun {
  const entry: unknown = parsed(line);
  if (isBadRun(entry)) return entry;
  throw new InputError(
    `Cannot read ${place} as a line of --state: it must be what an earlier run wrote; without the file all counts begin anew`,
  );
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isBadRun(value: unknown): value is FlakyRun {
  if (typeof value !== 'object' || value === null) return false;
  if (!('method' in value && 'url' in value && 'badRuns' in value)) return false;
  const hasTexts = typeof value.method === 'string' && typeof value.url === 'string';
  const hasId = !('id' in value) || typeof value.id === 'string';
  return hasTexts && hasId && Number.isSafeInteger(value.badRuns) && Number(value.badRuns) > 0;
}

/** A baseline as it was read. */
interface BaselineFile {
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
async function readBaseline(
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
      if ('fault' in found) throw damaged(path, line, `${describeSegment(record)}: ${found.fault}`);
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

/** What earlier runs say of the results of this one, and what this run leaves to the next. */
export interface Judgement {
  readonly judge: (result: Result) => Result;
  /** What `judge` has said of a result that is read again, under --ordered in a run on many machines. */
  readonly recall: (result: Result) => Result;
  readonly sinks: readonly Sink[];
}

const NONE: Judgement = { judge: (result) => result, recall: (result) => result, sinks: [] };

/**
 * Reads what `--baseline` and `--state` name, and opens what is to be written in their place.
 * `isComplete` is asked at the end: whether the run has come to the end of its list.
 */
export async function openJudgement(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const parts = [await openBaseline(options, isComplete), await openBadRuns(options, isComplete)];
  return {
    judge: (result) => parts.reduce((judged, part) => part.judge(judged), result),
    recall: (result) => parts.reduce((judged, part) => part.recall(judged), result),
    sinks: parts.flatMap(({ sinks }) => sinks),
  };
}

async function openBaseline(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const { baseline: path, updateBaseline, method } = options;
  if (path === undefined) return NONE;
  const { baseline, isList } = await readBaseline(path, { mayBeMissing: updateBaseline });
  const judge = (result: Result) => baseline.judge(result);
  if (!updateBaseline) return { judge, recall: judge, sinks: [] };
  const file = await AtomicFile.open(path);
  return {
    judge,
    recall: judge,
    sinks: [baselineFileSink(file, { asList: isList, runMethod: method, isComplete })],
  };
}

async function openBadRuns(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const { flakyAfter, state, ordered, broker } = options;
  if (flakyAfter === undefined || state === undefined) return NONE;
  const badRuns = new FlakyHistory(flakyAfter, await readBadRuns(state));
  const file = await AtomicFile.open(state);
  const sinks = [flakyFileSink(file, badRuns, isComplete)];
  const judge = (result: Result) => badRuns.judge(result);
  return ordered && broker !== undefined ? { ...remembering(judge), sinks } : { ...NONE, judge, sinks };
}

/** A second judgement would count a URL twice, so the first is kept. Memory grows with the URLs that failed, as that of the count does. */
function remembering(judge: Judgement['judge']): Pick<Judgement, 'judge' | 'recall'> {
  const marks = new Map<number, number>();
  return {
    judge(result) {
      const judged = judge(result);
      if (judged.badRuns !== undefined) marks.set(judged.index, judged.badRuns);
      return judged;
    },
    recall(result) {
      const badRuns = marks.get(result.index);
      return badRuns === undefined ? result : { ...result, badRuns };
    },
  };
}
