import { readdir } from 'node:fs/promises';
import { BodyCapture, type BodyCaptureOptions } from '../../src/bodies/body-capture.ts';
import { FileNamer } from '../../src/bodies/file-name-template.ts';
import { FileSaver } from '../../src/bodies/file-sink.ts';
import type { Headers } from '../../src/bodies/resume.ts';
import { SaveDirectory } from '../../src/bodies/save-directory.ts';
import type { OutputError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aJob } from './a-job.ts';

export interface SaverSetting extends Partial<Pick<BodyCaptureOptions, 'maxBytes' | 'inlineBytes'>> {
  readonly dir?: string;
  readonly keepsFailed?: boolean;
  readonly resumes?: boolean;
  readonly hashes?: boolean;
  readonly maxKnown?: number;
}

/** Bodies saved below a directory of the running test, each hop of them driven by hand. */
export async function aSaver({
  dir,
  keepsFailed = false,
  resumes = false,
  hashes = true,
  maxKnown,
  ...rest
}: SaverSetting = {}) {
  const root = dir ?? `${await tempDir()}/out`;
  const directory = new SaveDirectory(root, maxKnown);
  directory.probe();
  const fatal: OutputError[] = [];
  const names = new FileNamer({ template: [{ field: 'host' }, { field: 'path' }], defaultMethod: 'GET' });
  const onUnwritable = (error: OutputError) => void fatal.push(error);
  const saver = new FileSaver({ directory, names, keepsFailed, resumes, hashes, onUnwritable });
  const options: BodyCaptureOptions = {
    saver,
    maxBytes: Number.POSITIVE_INFINITY,
    maxDroppedBytes: 1000,
    isFollowed: (_, status) => status === 302,
    mayBeOk: (_, status) => status >= 200 && status <= 299,
    isSearched: () => false,
    ...rest,
  };
  const asked = (url: string, hop = {}) => ({ job: aJob(url), url, method: 'GET', headers: {}, ...hop });
  /** A hop whose head has come. */
  const begin = (url: string, { status = 200, headers = {}, hop = {} }: Head = {}) => {
    const keep = new BodyCapture(options, asked(url, hop));
    const { taker } = keep.receive(status, headers);
    return { keep, taker, write: (text: string) => taker?.write(Buffer.from(text)) };
  };
  /** A whole body. */
  const save = (url: string, text: string, head?: Head) => {
    const { keep, write } = begin(url, head);
    if (text !== '') write(text);
    return keep.end(true, true);
  };
  return { root, saver, options, fatal, asked, begin, save, files: () => filesIn(root) };
}

interface Head {
  readonly status?: number;
  readonly headers?: Headers;
  readonly hop?: object;
}

/** All files below a directory, with `/` between their parts, in order. */
export async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length + 1)).sort();
}
