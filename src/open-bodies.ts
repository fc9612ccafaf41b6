import type { BodyError } from './bodies/body-error.ts';
import { FileSaver } from './bodies/file-saver.ts';
import type { KeepOptions } from './bodies/kept-hop.ts';
import { NameMaker } from './bodies/name-maker.ts';
import { SaveDirectory } from './bodies/save-directory.ts';
import type { RunOptions } from './config/run-options.ts';
import type { AnswerJudge } from './http/answer-judge.ts';
import { OutputError } from './model/errors.ts';

/** Of a body that is not saved, in a run that saves others without a limit. */
const MAX_DROPPED_BYTES = 10 * 1024 ** 2;

/**
 * What is done with bodies as the options say; `undefined` when they are all dropped.
 *
 * @param onUnwritable called when no body can be saved any more
 * @throws OutputError when the directory for them cannot be used
 */
export function openBodies(
  options: RunOptions,
  judge: AnswerJudge,
  onUnwritable: (error: OutputError) => void,
): KeepOptions | undefined {
  const { inlineBody, maxSize } = options;
  const saver = openSaver(options, onUnwritable);
  if (saver === undefined && inlineBody === undefined) return undefined;
  return {
    saver,
    inlineBytes: inlineBody,
    maxBytes: maxSize,
    maxDroppedBytes: Number.isFinite(maxSize) ? maxSize : MAX_DROPPED_BYTES,
    isFollowed: (job, status, headers) => judge.isFollowed(job, status, headers),
    mayBeOk: (job, status, headers) => judge.mayBeOk(job, status, headers),
    isSearched: (job) => judge.looksForText(job),
  };
}

function openSaver(options: RunOptions, onUnwritable: (error: OutputError) => void): FileSaver | undefined {
  const { saveDir, name, method } = options;
  if (saveDir === undefined || name === undefined) return undefined;
  const directory = openDirectory(saveDir);
  return new FileSaver({
    directory,
    names: new NameMaker({ template: name, defaultMethod: method }),
    keepsFailed: options.saveAll,
    resumes: options.resumePartial,
    hashes: options.hashesBodies,
    onUnwritable,
  });
}

/** Throws an `OutputError` when bodies cannot be saved where the options say. */
export function checkSaveDirectory({ saveDir }: RunOptions): void {
  if (saveDir !== undefined) openDirectory(saveDir);
}

function openDirectory(root: string): SaveDirectory {
  const directory = new SaveDirectory(root);
  try {
    directory.probe();
    return directory;
  } catch (error) {
    const { code, message } = error as BodyError; // `probe` throws nothing else
    const isFile = code === 'EEXIST' || code === 'ENOTDIR';
    throw new OutputError(isFile ? `${message}; --save-dir must be a directory` : message, { cause: error });
  }
}
