import { UsageError } from '../model/errors.ts';
import { option } from './option.ts';
import { optionsFromObject } from './option-sources.ts';
import { outputOptions } from './output-options.ts';
import { type ResultAges, threadCount } from './parse/numbers.ts';
import type { RecordKey } from './parse/record-format.ts';
import { oneOf, secretText } from './parse/texts.ts';
import { checkRefresh, checkRequirements, resolveOptions } from './resolve-options.ts';
import { deriveRunOptions, type RunOptions, runOptions } from './run-options.ts';

/** Text with a unit, as on the command line: `'500ms'`, `'10s'`, `'2m'`, `'1h'`. */
export type Duration = string;

/** A number of bytes, or text with a unit: `64kb`, `10mb`, `1gb` (1kb is 1024 bytes). */
export type Size = number | string;

/** Status codes, ranges and classes: `404`, `'200-299,304'`, `['2xx', 304]`. */
export type StatusList = number | string | readonly (number | string)[];

/** What holds for one host, or for every host below a name, instead of the options of a run. */
export type HostOptions = Pick<
  FanoutOptions,
  'headers' | 'perHost' | 'hostRate' | 'timeout' | 'accept' | 'insecure' | 'user'
>;

/** The options of the library. All are optional, with the same defaults as in the program. */
export interface FanoutOptions {
  /** Fetch each distinct URL once, and count the others as skipped. Default: false. */
  readonly unique?: boolean | undefined;
  /**
   * Regular expressions, as text: fetch only URLs in which one of them is found, and count the others as skipped. Without
   * look-around and back-references.
   */
  readonly include?: string | readonly string[] | undefined;
  /** The same for URLs that are skipped, even if `include` matches. A redirect to one is not followed, and is a warning. */
  readonly exclude?: string | readonly string[] | undefined;
  /**
   * Take the items for names of documents, and fetch the links in them: files, directories, patterns and URLs of Markdown, HTML,
   * reStructuredText, XML, JSON, text and source code. A result has the file, the line and the column of its link. Default: false.
   */
  readonly extract?: boolean | undefined;
  /** With `extract`: the URL that relative links are resolved against. Default: they are links to files, which are looked up. */
  readonly baseUrl?: string | undefined;
  /** With `extract`: the directory of links that start with `/`. With `baseUrl`, the one that it is the URL of. Default: the working directory. */
  readonly rootDir?: string | undefined;
  /** Scheme of lines that have none. Default: such a line is invalid. */
  readonly defaultScheme?: 'http' | 'https' | undefined;
  /** Request method. Default: GET, or POST with `data`. */
  readonly method?: string | undefined;
  /** Send HEAD, and GET if the server refuses HEAD: with a status of 400 or more, a reset, or no response in time. Excludes `data` and other methods. Default: false. */
  readonly head?: boolean | undefined;
  /** Headers of every request: an object of names and values, or lines such as `'Accept: text/html'`. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[] | string | undefined;
  /**
   * Headers for one host each: an object that has for each host what `headers` accepts, or lines such as
   * `'api.example.com X-Key: value'`. A host without a port stands for all of its ports.
   */
  readonly headerFor?:
    | Readonly<Record<string, Readonly<Record<string, string>> | readonly string[] | string>>
    | readonly string[]
    | string
    | undefined;
  /**
   * Settings of single hosts, such as `{ '*.example.com': { perHost: 2 } }`. They win over the other options. If several entries
   * match a host, the most specific one that has a setting decides.
   */
  readonly hosts?: Readonly<Record<string, HostOptions>> | undefined;
  /** Credentials, `NAME:PASSWORD`, for URLs without their own. */
  readonly user?: string | undefined;
  /** Request body, as text; an `@` at its start has no meaning. It is a form unless `headers` has a content type. */
  readonly data?: string | undefined;
  /** Request body, as JSON text; content-type and accept are `application/json`. Excludes `data`. */
  readonly jsonBody?: string | undefined;
  /** The user-agent header; an empty one sends none. Default: `fanout/VERSION`. */
  readonly userAgent?: string | undefined;
  /**
   * The text of a netrc file, with a login for each host. Credentials in a URL, `user` and an Authorization header win over it.
   * Default: none.
   */
  readonly netrc?: string | undefined;
  /**
   * File of cookies in the Netscape format, which is read if there is one, and written at the end; or `false` for no cookies.
   * Default: a cookie that a redirect sets is sent along its chain only.
   */
  readonly cookies?: string | false | undefined;
  /** Maximum number of redirects to follow; with 0, `accept` applies to the redirect itself. Default: 10. */
  readonly maxRedirects?: number | undefined;
  /** Request compressed bodies, and decompress them. Default: true. */
  readonly decompress?: boolean | undefined;
  /** Number of workers, 1 to 65535. Default: 32. */
  readonly concurrency?: number | undefined;
  /** Maximum number of requests in flight per host. Default: `concurrency`. */
  readonly perHost?: number | undefined;
  /** Maximum rate of requests over all hosts: `10/s`, `30/m`, `500/h`; a number is per second. Default: no limit. */
  readonly rate?: number | string | undefined;
  /** Maximum rate of requests per host, as `rate`. Default: no limit. */
  readonly hostRate?: number | string | undefined;
  /** Number of requests in a row without a response after which a host is paused; 0 disables this. Default: 5. */
  readonly breaker?: number | undefined;
  /** Time without a sign of life after which a host is given up. Default: `30s`. */
  readonly giveUpAfter?: Duration | undefined;
  /** Maximum number of queued jobs, at least 4 per worker; 20,000 take up to 32 MiB. Default: 20,000, or 4 per worker if that is more. */
  readonly queueSize?: number | undefined;
  /** Time limit of one attempt, body included, above 0. Default: `30s`. */
  readonly timeout?: Duration | undefined;
  /** Time limit for connecting, above 0. Default: `10s`. */
  readonly connectTimeout?: Duration | undefined;
  /** Maximum number of retries. Default: 2. */
  readonly retries?: number | undefined;
  /** Status codes that are retried, and `network` for failures without a response. Default: `408,425,429,500,502,503,504,network`. */
  readonly retryOn?: StatusList | undefined;
  /** Retry POST, PATCH and others too. Default: only GET, HEAD, OPTIONS, PUT, DELETE and TRACE. */
  readonly retryAllMethods?: boolean | undefined;
  /** Longest wait that a Retry-After header may request. Default: `60s`. */
  readonly maxRetryAfter?: Duration | undefined;
  /** Time limit of the whole run, above 0, or `none`. Default: `none`. */
  readonly deadline?: Duration | undefined;
  /** Maximum number of bytes of a body that are read, or `none`; 0 ends at the response head. A saved body that is larger fails. Default: `10mb`, or `none` with `saveDir`. */
  readonly maxSize?: Size | undefined;
  /** Status codes that are OK, after redirects. Default: `200-299`. */
  readonly accept?: StatusList | undefined;
  /** Texts that the body must contain. */
  readonly contains?: string | readonly string[] | undefined;
  /** Regular expressions, as text, that must match somewhere in the body. Without look-around and back-references. */
  readonly matches?: string | readonly string[] | undefined;
  /** Texts that the body must not contain. */
  readonly notContains?: string | readonly string[] | undefined;
  /** Headers that the response must have: `Name: value`, or `Name:` for any value. */
  readonly expectHeader?: string | readonly string[] | undefined;
  /** Time after which an attempt counts as failed; it still goes on until `timeout`. Default: none. */
  readonly expectTime?: Duration | undefined;
  /** Days that the certificate of every https URL must still be valid, redirects included. Default: any. */
  readonly expectCertDays?: number | undefined;
  /** Fail URLs whose fragment names nothing in their page, if that is HTML. Each page is fetched once for all its fragments. Default: false. */
  readonly checkFragments?: boolean | undefined;
  /** What URLs that redirect count as. Default: `ok`. */
  readonly redirects?: 'ok' | 'warn' | 'fail' | undefined;
  /** What URLs that have moved (301, 308) count as. The message names the URL to write instead. Default: `ok`. */
  readonly permanentRedirects?: 'ok' | 'warn' | 'fail' | undefined;
  /** What responses that reject bots count as. Default: `fail`. */
  readonly blocked?: 'fail' | 'warn' | 'ok' | undefined;
  /**
   * The proxy, `http://[user:password@]host:port` or `https://`; or `socks5://` and `socks4://`, with names looked up on this
   * machine; or `socks5h://` and `socks4a://`, with names looked up by the proxy. Default: none.
   */
  readonly proxy?: string | undefined;
  /** Use HTTP/2 with https servers that offer it. Default: false. */
  readonly http2?: boolean | undefined;
  /** Refuses responses that break the rules of HTTP, though browsers and curl accept them. Default: false. */
  readonly strict?: boolean | undefined;
  /** Accept any certificate of a server. Default: false. */
  readonly insecure?: boolean | undefined;
  /** Certificates to trust instead of Node's own: the PEM text itself, not the name of a file. */
  readonly cacert?: string | undefined;
  /** A certificate for servers that request one: the PEM text itself. */
  readonly cert?: string | undefined;
  /** The private key of `cert`: the PEM text itself, without a passphrase. Default: the key in `cert`. */
  readonly key?: string | undefined;
  /** Stop after the first failure, or after this number of failures. Default: false. */
  readonly failFast?: boolean | number | undefined;
  /** The same as `failFast` with a number. Excludes `failFast`. */
  readonly maxFailures?: number | undefined;
  /** Addresses to connect to instead of those of DNS, as `'example.com:443:127.0.0.1'`; `*` is any host. Default: none. */
  readonly resolve?: string | readonly string[] | undefined;
  /**
   * Hosts and ports to connect to instead of those of URLs, as `'example.com:443:127.0.0.1:8443'`. An empty part is any host or
   * port, or that of the URL. The first that matches counts. Default: none.
   */
  readonly connectTo?: string | readonly string[] | undefined;
  /**
   * URLs to fetch instead of those that match: `'FROM TO'`, or an object of these, where `FROM` is a regular expression as text, and
   * `$1` in `TO` a group of it. A result has the URL of the list as `input`. Default: none.
   */
  readonly remap?: string | readonly string[] | Readonly<Record<string, string>> | undefined;
  /** Path of a Unix domain socket that every connection is made to. Excludes `proxy`, `denyPrivate`, and what chooses an address. Default: none. */
  readonly unixSocket?: string | undefined;
  /** Name servers, as `'127.0.0.1:5353'` or `'[::1]'`. Default: those of the system. */
  readonly dnsServer?: string | readonly string[] | undefined;
  /** Connect to IPv4 addresses only. Excludes `ipv6`. Default: false. */
  readonly ipv4?: boolean | undefined;
  /** Connect to IPv6 addresses only. Excludes `ipv4`. Default: false. */
  readonly ipv6?: boolean | undefined;
  /** Refuse to connect to addresses that are private, loopback, link-local or otherwise special. Of proxies it allows only `socks5://` and `socks4://`. Default: false. */
  readonly denyPrivate?: boolean | undefined;
  /** Directory in which the body of each URL that is OK is saved as a file. Default: bodies are dropped. */
  readonly saveDir?: string | undefined;
  /** Save the bodies of failed responses too. Default: false. */
  readonly saveAll?: boolean | undefined;
  /** Do not fetch URLs whose file exists already: their results are OK and have `file: 'existing'`. Default: false. */
  readonly skipExisting?: boolean | undefined;
  /** Template for file names, with the fields `{host}`, `{path}`, `{index}`, `{id}`, `{hash}`, `{ext}`, `{status}` and `{query}`. `{ext}` is the extension, without its dot, of the URL or else of the content type. Default: `{host}{path}`. */
  readonly saveAs?: string | undefined;
  /** Keep an incomplete body, and request only the rest in the next attempt. Default: false. */
  readonly resumePartial?: boolean | undefined;
  /** Put each body up to this size, at most `64mb`, into `body.text` or `body.base64` of its result; `true` is `64kb`. Default: false. */
  readonly inlineBody?: Size | boolean | undefined;
  /**
   * `'buffer'`: keep each body, up to `maxSize`, as a `Buffer` in `body.buffer` of its result. `'stream'`: put a stream of it
   * into `body.stream`, for bodies of any size. Default: bodies are dropped.
   */
  readonly body?: 'buffer' | 'stream' | undefined;
  /** More keys of a result: `headers`, those of its response; `input`, the URL as it was given if it is not `url`. Default: none. */
  readonly record?: RecordKey | readonly RecordKey[] | undefined;
  /** Give the results in the order of the list. Default: false. */
  readonly ordered?: boolean | undefined;
  /** File that records finished URLs. A later run with the same file continues where this one stopped. Default: none. */
  readonly journal?: string | undefined;
  /**
   * With `journal`: fetch URLs again whose result is older, such as `'7d'`, or `'ok=7d,fail=1h'`. Each result expires within the
   * last fifth of this time, so that not all do at once. Default: never.
   */
  readonly journalAge?: string | undefined;
  /**
   * Fetch only bodies that have changed since: `true` for the files of `journal`, or the name of a file of JSONL results. A
   * 304 is OK and keeps the file. Needs `saveDir`. Default: false.
   */
  readonly refresh?: boolean | string | undefined;
  /** With `journal`: do not fetch URLs again that failed. Default: false. */
  readonly keepFailed?: boolean | undefined;
  /**
   * File of failures that are known: what `--update-baseline` writes, JSONL results, or a list of URLs. A result has `baseline`: `known`, `new` or `fixed`. Known
   * failures do not count for `failFast`. Default: none.
   */
  readonly baseline?: string | undefined;
  /**
   * Number of threads that send requests, 1 to 64, or `auto`: start one when this thread is busy all the time and a core is
   * idle. Limits and rates hold for all of them together. Default: 1.
   */
  readonly threads?: number | 'auto' | undefined;
}

const { header, excludeFile, netrc, ...otherOptions } = runOptions;
const { extract, baseUrl, rootDir, journal, journalAge, keepFailed, ordered, record, baseline, refresh } =
  outputOptions;

/** The flag for headers, which is given once for each, has its name in the singular. */
const libraryOptions = {
  ...otherOptions,
  headers: header,
  netrc: option({
    flags: '--netrc <text>',
    group: 'Request',
    parser: secretText,
    default: undefined,
    help: 'the text of a netrc file',
  }),
  ...{ extract, baseUrl, rootDir, journal, journalAge, keepFailed, ordered, record, baseline, refresh },
  threads: option({
    flags: '--threads <n|auto>',
    group: 'Output',
    parser: threadCount,
    default: 1,
    help: 'number of threads that send requests',
  }),
  body: option({
    flags: '--body <form>',
    group: 'Output',
    parser: oneOf(['buffer', 'stream']),
    default: undefined,
    help: 'form of the body in a result',
  }),
};

/** The options of a run, and those that the program gives to its outputs. */
export interface LibraryRunOptions extends RunOptions {
  /** Whether the items name documents. */
  readonly extract: boolean;
  readonly baseUrl: string | undefined;
  readonly rootDir: string | undefined;
  readonly journal: string | undefined;
  readonly refresh: string | true | undefined;
  readonly baseline: string | undefined;
  readonly keepsStreams: boolean;
  readonly journalAge: ResultAges | undefined;
  readonly keepFailed: boolean;
  readonly ordered: boolean;
  readonly threads: number | 'auto';
}

/**
 * Resolves the options of the library. `version` is the one in the default user agent. Throws `UsageError` for an unknown
 * key, and for a value that the program would reject too.
 */
export function resolveRunOptions(options: FanoutOptions, version: string): LibraryRunOptions {
  const resolved = resolveOptions(libraryOptions, [optionsFromObject(libraryOptions, options)]);
  checkRequirements(resolved, {
    journalAge: ['journal', 'option journal'],
    keepFailed: ['journal', 'option journal'],
    refresh: ['saveDir', 'option saveDir'],
  });
  checkRefresh(resolved);
  const { labels, values } = resolved;
  const {
    extract,
    baseUrl,
    rootDir,
    headers,
    body,
    record,
    journal,
    journalAge,
    keepFailed,
    ordered,
    threads,
    baseline,
    refresh,
    ...others
  } = values;
  const needsDocuments = baseUrl !== undefined ? 'baseUrl' : rootDir !== undefined ? 'rootDir' : undefined;
  if (needsDocuments !== undefined && !extract) {
    throw new UsageError(`option ${needsDocuments} needs option extract`);
  }
  if (body !== undefined && (others.head || others.inlineBody !== undefined)) {
    throw new UsageError(`cannot use option body with option ${others.head ? 'head' : 'inlineBody'}`);
  }
  if (body === 'stream' && (others.saveDir !== undefined || others.maxSize === 0)) {
    throw new UsageError(
      `cannot use option body with option ${others.maxSize === 0 ? 'maxSize 0' : 'saveDir'}`,
    );
  }
  const derived = deriveRunOptions(
    { values: { ...others, header: headers, excludeFile: undefined }, labels },
    version,
  );
  return Object.freeze({
    ...derived,
    ...(body === 'stream' && !labels.has('maxSize') ? { maxSize: Number.POSITIVE_INFINITY } : {}),
    ...{ extract, baseUrl, rootDir, journal, journalAge, keepFailed, ordered, threads, baseline, refresh },
    keepsStreams: body === 'stream',
    keeps: record ?? [],
    keepsBuffers: body === 'buffer',
  });
}
