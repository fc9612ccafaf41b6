import type { Hash } from 'node:crypto';
import { BodyCapture, type BodyCaptureOptions } from '../bodies/body-capture.ts';
import type { BodyError } from '../bodies/body-sink.ts';
import { FileNamer } from '../bodies/file-name-template.ts';
import { FileSaver } from '../bodies/file-sink.ts';
import { SaveDirectory } from '../bodies/save-directory.ts';
import { toExpectation } from '../config/expectations.ts';
import { hostSetting } from '../config/host-settings.ts';
import { statusSet } from '../config/parse/status-sets.ts';
import type { RunOptions } from '../config/run-options.ts';
import type { AttemptRequest, BodyRules } from '../http/attempt.ts';
import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';
import type { ResponseHeaders } from '../model/result.ts';
import { isEndless, ResponseValidator } from './response-validator.ts';
import { keepsBodies } from './shared-pages.ts';

/** Called when no more bodies can be saved. */
type OnUnwritable = (error: OutputError) => void;

/** What is done with the bodies of a run, by its options and its jobs: also in a thread that knows nothing else of the run. */
export function createBodyRules(options: RunOptions, onUnwritable: OnUnwritable): BodyRules {
  const rulesBy = (by: RunOptions) => {
    const validator = createValidator(by);
    return new ValidatedBodies(validator, createCaptureOptions(by, validator, onUnwritable));
  };
  const ofList = rulesBy(options);
  let ofDocuments: BodyRules | undefined;
  const rulesFor = ({ job }: AttemptRequest) => {
    if (isListed(job)) return ofList;
    ofDocuments ??= rulesBy(documentOptions(options));
    return ofDocuments;
  };
  return {
    captureFor: (request) => rulesFor(request).captureFor(request),
    inspectorFor: (request, ...head) => rulesFor(request).inspectorFor(request, ...head),
    needsBody: (request, status, headers, isKept) =>
      rulesFor(request).needsBody(request, status, headers, isKept),
  };
}

/** Bodies are read as their validation needs it. */
export class ValidatedBodies implements BodyRules {
  readonly #validator: ResponseValidator;
  readonly #captures: BodyCaptureOptions | undefined;

  /** @param captures how bodies are kept; they are dropped if left out */
  constructor(validator: ResponseValidator, captures?: BodyCaptureOptions) {
    this.#validator = validator;
    this.#captures = captures;
  }

  captureFor({ job, hop, mayResume }: AttemptRequest): BodyCapture | Promise<BodyCapture> | undefined {
    const captures = this.#captures;
    if (captures === undefined) return undefined;
    // A text that is searched for may be in the part that was saved before, which does not come again.
    const isResumable = mayResume === true && !this.#validator.looksForText(job);
    return BodyCapture.prepare(captures, { job, ...hop }, isResumable);
  }

  inspectorFor({ job, hop }: AttemptRequest, status: number, headers: ResponseHeaders, partialHash?: Hash) {
    return this.#validator.inspectorFor({ job, url: hop.url }, status, headers, partialHash);
  }

  needsBody(
    { job, hop, isHeadRefused }: AttemptRequest,
    status: number,
    headers: ResponseHeaders,
    isKept: boolean,
  ) {
    const isOptional = !isKept && (isHeadRefused === true || isEndless(headers));
    return this.#validator.needsBody({ job, url: hop.url }, status, headers, isOptional);
  }
}

/** Decides whether a response is OK, as the options say. */
export function createValidator(options: RunOptions): ResponseValidator {
  const { accept, maxRedirects, redirects, permanentRedirects, blocked, expectCertDays, keeps } = options;
  return new ResponseValidator({
    accept,
    acceptAt: (url) => hostSetting(options.hosts, url, 'accept'),
    maxRedirects,
    redirects,
    permanentRedirects,
    blocked,
    expectation: toExpectation(options),
    certificateDays: expectCertDays,
    findsTitle: keeps.includes('title'),
    findsAnchors: options.checkFragments,
    // A body is kept or not by the verdict on its own URL.
    keepsAnchors: !keepsBodies(options),
    decompresses: options.decompress,
  });
}

/** Whether a job is one of the list; otherwise it is that of a document that the list comes from. */
export function isListed({ index }: Job): boolean {
  return index >= 0;
}

/** The most that is read of a document. */
const MAX_DOCUMENT_BYTES = 50 * 1024 ** 2;

/** The options for a document: it is wanted whole, whatever is expected of the URLs of the list. */
export function documentOptions(options: RunOptions): RunOptions {
  return {
    ...options,
    accept: statusSet.parse('200'),
    contains: [],
    notContains: [],
    matches: [],
    expectHeader: [],
    expectTime: undefined,
    checkFragments: false,
    redirects: 'ok',
    permanentRedirects: 'ok',
    blocked: 'fail',
    exclude: [],
    hosts: withoutAccept(options),
    maxSize: MAX_DOCUMENT_BYTES,
    keepsBuffers: true,
    keeps: [],
    expectCertDays: undefined,
    saveDir: undefined,
  };
}

function withoutAccept({ hosts }: RunOptions): RunOptions['hosts'] {
  return new Map([...hosts].map(([host, { accept: _, ...settings }]) => [host, settings]));
}

/** How bodies are kept; `undefined` if all are dropped. */
function createCaptureOptions(
  options: RunOptions,
  validator: ResponseValidator,
  onUnwritable: OnUnwritable,
): BodyCaptureOptions | undefined {
  const { inlineBody, keepsBuffers, maxSize, maxUnsavedSize } = options;
  const saver = createSaver(options, onUnwritable);
  if (saver === undefined && inlineBody === undefined && !keepsBuffers) return undefined;
  return {
    saver,
    inlineBytes: keepsBuffers ? maxSize : inlineBody,
    keepsBuffers,
    maxBytes: maxSize,
    maxUnsavedBytes: saver === undefined ? maxSize : maxUnsavedSize,
    isFollowed: (job, status, headers) => validator.isFollowed(job, status, headers),
    mayBeOk: (request, status, headers) => validator.mayBeOk(request, status, headers),
    mayRevalidate: (request) => validator.mayRevalidate(request),
  };
}

function createSaver(options: RunOptions, onUnwritable: OnUnwritable): FileSaver | undefined {
  const { saveDir, saveAs, method } = options;
  if (saveDir === undefined || saveAs === undefined) return undefined;
  return new FileSaver({
    directory: new SaveDirectory(saveDir),
    namer: new FileNamer({ template: saveAs, defaultMethod: method }),
    saveAll: options.saveAll,
    resumePartial: options.resumePartial,
    checksums: options.hashesBodies,
    onUnwritable,
  });
}

/** Throws an `OutputError` if bodies cannot be saved in the directory of the options. */
export function checkSaveDirectory({ saveDir }: RunOptions): void {
  if (saveDir === undefined) return;
  try {
    new SaveDirectory(saveDir).probe();
  } catch (error) {
    const { code, message } = error as BodyError; // `probe` throws nothing else
    const isFile = code === 'EEXIST' || code === 'ENOTDIR';
    throw new OutputError(isFile ? `cannot save to "${excerpt(saveDir)}": not a directory` : message, {
      cause: error,
    });
  }
}
