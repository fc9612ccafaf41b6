import type { Expectation } from './expectation.ts';

/** One URL to fetch, as it was read from an input. */
export interface Job {
  /** Position among the jobs of the whole run, from 0. */
  readonly index: number;
  /** Where it was read: a file name, `-` for standard input, `arguments`, or `library`. */
  readonly source: string;
  /** Line in the source, from 1. */
  readonly line: number;
  /** Serialised `http:` or `https:` URL without user name and password; of an invalid job, what was read, made printable. */
  readonly url: string;
  /** Request method of this job alone, in upper case. */
  readonly method?: string;
  /** Request headers of this job alone, with lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Request body, sent as UTF-8. */
  readonly body?: string;
  /** What its answer must be, beside what the run expects of every answer. */
  readonly expect?: Expectation;
  /** A name given by the user, handed through to the record. */
  readonly id?: string;
  /** The name of the file that the body is saved in, relative to the directory for bodies. */
  readonly save?: string;
  /** Why this job cannot be fetched. It still ends in a result: `FAIL invalid`. */
  readonly invalid?: string;
}

/** What a template for file names can hold in braces. */
export const NAME_FIELDS = ['host', 'path', 'index', 'id', 'hash', 'ext', 'status', 'query'] as const;

export type NameField = (typeof NAME_FIELDS)[number];

/** Text as it is, or a field that each answer fills. */
export type NamePart = { readonly text: string } | { readonly field: NameField };

/** A template for the names of files, with `/` between directories; each field is there once at most. */
export type NameTemplate = readonly NamePart[];
