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
  const file = await ReplacedFile.open(path);
  return {
    judge,
    recall: judge,
    sinks: [baselineFileSink(file, { asList: isList, runMethod: method, isComplete })],
  };
}

async function openBadRuns(options: ProgramOptions, isComplete: () => boolean): Promise<Judgement> {
  const { flakyAfter, state, ordered, broker } = options;
  if (flakyAfter === undefined || state === undefined) return NONE;
  const badRuns = new BadRuns(flakyAfter, await readBadRuns(state));
  const file = await ReplacedFile.open(state);
  const sinks = [badRunsFileSink(file, badRuns, isComplete)];
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
