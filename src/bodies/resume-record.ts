/** Response headers by lower-case name. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What body the beginning in an unfinished file is of: enough to ask for the rest of the very same. */
export interface ResumeRecord {
  /** The URL that answered. */
  readonly url: string;
  /** An ETag, or a Last-Modified, that changes with every byte (RFC 9110, 8.8.1). */
  readonly validator: string;
}

// Without the `W/` of a weak one, which stands for bodies that are about the same.
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/;

// A file may change twice within its second, and clocks differ.
const STRONG_AFTER_MS = 60_000;

/** The record of a body whose answer this is the head of; `undefined` when a part of it cannot be asked for safely. */
export function resumeRecord(url: string, status: number, headers: Headers): ResumeRecord | undefined {
  // What is undone on the way has other bytes than the server counts.
  if (status !== 200 || isEncoded(headers)) return undefined;
  const validator = validatorOf(headers);
  return validator === undefined ? undefined : { url, validator };
}

/** Whether the body comes in a coding. */
export function isEncoded(headers: Headers): boolean {
  const coding = headers['content-encoding'];
  return coding !== undefined && coding !== 'identity';
}

/** Whether an answer does not say that it is of another version than the record. */
export function isSameVersion(record: ResumeRecord, headers: Headers): boolean {
  const said = record.validator.startsWith('"') ? headers.etag : headers['last-modified'];
  return said === undefined || said === record.validator;
}

export function encodeResumeRecord({ url, validator }: ResumeRecord): string {
  return `${JSON.stringify({ v: 1, url, validator })}\n`;
}

/** `undefined` when it is none, such as one that was not written to its end. */
export function decodeResumeRecord(text: string): ResumeRecord | undefined {
  try {
    const { v, url, validator } = JSON.parse(text);
    const isRight = v === 1 && typeof url === 'string' && typeof validator === 'string';
    return isRight ? { url, validator } : undefined;
  } catch {
    return undefined;
  }
}

function validatorOf({ etag, 'last-modified': modified, date }: Headers): string | undefined {
  if (typeof etag === 'string') return STRONG_ETAG.test(etag) ? etag : undefined;
  if (typeof modified !== 'string' || typeof date !== 'string') return undefined;
  return Date.parse(date) - Date.parse(modified) >= STRONG_AFTER_MS ? modified : undefined;
}
