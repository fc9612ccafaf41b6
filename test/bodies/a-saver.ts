import { readdir } from 'node:fs/promises';
import { BodyCapture, type BodyCaptureOptions } from '../../src/bodies/body-capture.ts';
import { BodyError } from '../../src/bodies/body-sink.ts';
import { FileNamer } from '../../src/bodies/file-name-template.ts';
import { FileSaver } from '../../src/bodies/file-sink.ts';
import { SaveDirectory } from '../../src/bodies/save-directory.ts';
import type { OutputError } from '../../src/model/errors.ts';
import type { ResponseHeaders } from '../../src/model/result.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aJob } from './a-job.ts';

export interface SaverSetting extends Partial<Pick<BodyCaptureOptions, 'maxBytes' | 'inlineBytes'>> {
  readonly saveAll?: boolean;
  readonly checksums?: boolean;
  readonly maxRemembered?: number;
}

interface Head {
  readonly status?: number;
  readonly headers?: ResponseHeaders;
  readonly hop?: object;
}

/** Saves bodies below a directory of the running test. The test plays the part of the HTTP client. */
export async function aSaver({
  saveAll = false,
  checksums = true,
  maxRemembered,
  ...rest
}: SaverSetting = {}) {
  const root = `${await tempDir()}/out`;
  const directory = new SaveDirectory(root, maxRemembered);
  directory.probe();
  const fatal: OutputError[] = [];
  const namer = new FileNamer({ template: [{ field: 'host' }, { field: 'path' }], defaultMethod: 'GET' });
  const onUnwritable = (error: OutputError) => void fatal.push(error);
  const saver = new FileSaver({ directory, namer, saveAll, resumePartial: false, checksums, onUnwritable });
  const options: BodyCaptureOptions = {
    saver,
    maxBytes: Number.POSITIVE_INFINITY,
    maxUnsavedBytes: 1000,
    isFollowed: (_, status) => status === 302,
    mayBeOk: (_, status) => status >= 200 && status <= 299,
    mayRevalidate: () => true,
    ...rest,
  };
  /** A response whose head has arrived. */
  const begin = (url: string, { status = 200, headers = {}, hop = {} }: Head = {}) => {
    const request = { job: aJob(url), url, method: 'GET', headers: {}, ...hop };
    const capture = new BodyCapture(options, request);
    const { sink } = capture.onHead(status, headers);
    return { capture, sink, write: (text: string) => sink?.write(Buffer.from(text)) };
  };
  /** A whole response. */
  const save = (url: string, text: string, head?: Head) => {
    const { capture, write } = begin(url, head);
    if (text !== '') write(text);
    return capture.end(true, true);
  };
  return { root, fatal, begin, save, files: () => filesIn(root) };
}

/** Paths of all files below a directory, relative to it and sorted. */
export async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length + 1)).sort();
}

/** The `BodyError` that a function throws or rejects with. */
export async function bodyErrorOf(act: () => unknown): Promise<BodyError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof BodyError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
