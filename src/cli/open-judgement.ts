import { BadRuns } from '../collect/bad-runs.ts';
import type { Sink } from '../collect/sink.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Result } from '../model/result.ts';
import { badRunsFileSink } from '../sinks/bad-runs-file.ts';
import { baselineFileSink } from '../sinks/baseline-file.ts';
import { ReplacedFile } from '../sinks/replaced-file.ts';
import { readBadRuns } from './bad-runs-file.ts';
import { readBaseline } from './read-baseline.ts';

/** What earlier runs say of the results of this one, and what this run leaves to the next. */
export interface Judgement {
  readonly judge: (result: Result) => Result;
  readonly sinks: readonly Sink[];
}

const NONE: Judgement = { judge: (result) => result, sinks: [] };

/**
 * Reads what `--baseline` and `--state` name, and opens what is to be written in their place.
 * `isComplete` is asked at the end: whether the run has come to the end of its list.
 */
export async function openJudgement(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const parts = [await openBaseline(options, isComplete), await openBadRuns(options, isComplete)];
  return {
    judge: (result) => parts.reduce((judged, part) => part.judge(judged), result),
    sinks: parts.flatMap(({ sinks }) => sinks),
  };
}

async function openBaseline(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const { baseline: path, updateBaseline, method } = options;
  if (path === undefined) return NONE;
  const { baseline, isList } = await readBaseline(path, { mayBeMissing: updateBaseline });
  const judge = (result: Result) => baseline.judge(result);
  if (!updateBaseline) return { judge, sinks: [] };
  const file = await ReplacedFile.open(path);
  return { judge, sinks: [baselineFileSink(file, { asList: isList, runMethod: method, isComplete })] };
}

async function openBadRuns(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const { flakyAfter, state } = options;
  if (flakyAfter === undefined || state === undefined) return NONE;
  const badRuns = new BadRuns(flakyAfter, await readBadRuns(state));
  const file = await ReplacedFile.open(state);
  return { judge: (result) => badRuns.judge(result), sinks: [badRunsFileSink(file, badRuns, isComplete)] };
}
