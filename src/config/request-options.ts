import { type HostTable, hostTable, maskHostTable } from './host-settings.ts';
import { option } from './option.ts';
import {
  credentials,
  type Header,
  type HostHeader,
  headers,
  headerValue,
  hostHeaders,
  maskCredentials,
  maskData,
  maskHeaders,
  maskHostHeaders,
} from './parse/headers.ts';
import { cookies, fileName, netrcFile } from './parse/names.ts';
import { wholeNumber } from './parse/numbers.ts';
import { boolean, method, oneOf, secretText, urlPatterns } from './parse/texts.ts';

const NO_HEADERS: readonly Header[] = Object.freeze([]);
const NO_PATTERNS: readonly RegExp[] = Object.freeze([]);
const PATTERN_DETAILS =
  'It is a JavaScript expression without look-around and back-references, and is searched for in the URL as results show it.';
const NO_HOST_HEADERS: readonly HostHeader[] = Object.freeze([]);

const NO_HOSTS: HostTable = new Map();

/** How lines become URLs, and what every request has. */
export const requestOptions = {
  unique: option({
    flags: '--unique',
    group: 'Input',
    parser: boolean,
    default: false,
    help: 'fetch each distinct URL once',
    details:
      'Duplicates are counted as skipped. A fragment makes no difference, except with --check-fragments.',
  }),
  include: option({
    flags: '--include <regex>',
    group: 'Input',
    parser: urlPatterns,
    default: NO_PATTERNS,
    help: 'fetch only URLs that match a regular expression',
    details: `Several: one of them must match. ${PATTERN_DETAILS}`,
    repeatable: true,
  }),
  exclude: option({
    flags: '--exclude <regex>',
    group: 'Input',
    parser: urlPatterns,
    default: NO_PATTERNS,
    help: 'skip URLs that match a regular expression, and count them',
    details: `It wins over --include, and holds for redirects: one to such a URL is not followed, and counts as a warning. ${PATTERN_DETAILS}`,
    repeatable: true,
  }),
  excludeFile: option({
    flags: '--exclude-file <file>',
    group: 'Input',
    parser: fileName,
    default: undefined,
    help: 'read expressions for --exclude from a file, one per line',
    details: 'Blank lines and lines that start with # are skipped.',
  }),
  defaultScheme: option({
    flags: '--default-scheme <scheme>',
    group: 'Input',
    parser: oneOf(['http', 'https']),
    default: undefined,
    help: 'scheme of URLs that have none (example.com/x): http or https',
  }),
  method: option({
    flags: '-X, --method <method>',
    group: 'Request',
    parser: method,
    default: undefined,
    defaultText: 'GET, or POST with a body',
    help: 'request method',
  }),
  head: option({
    flags: '-I, --head',
    group: 'Request',
    parser: boolean,
    default: false,
    help: 'send HEAD, and GET if the server refuses HEAD',
    details:
      'It refuses with a status of 400 or more, a reset, no response in time, or a redirect that ends so. GET is sent once, to the URL of the list, and --retries does not count it. The record then has "decidedBy": "GET".',
  }),
  header: option({
    flags: '-H, --header <line>',
    group: 'Request',
    parser: headers,
    default: NO_HEADERS,
    help: "add a header to every request: 'Name: value'",
    details:
      '$NAME is replaced by an environment variable, $$ by a $. A header that is not a list, such as Host or Content-Type, may be given only once.',
    repeatable: true,
    expands: true,
    mask: maskHeaders,
  }),
  headerFor: option({
    flags: '--header-for <line>',
    group: 'Request',
    parser: hostHeaders,
    default: NO_HOST_HEADERS,
    help: "add a header for one host only: 'HOST Name: value'",
    details:
      'HOST may be *.example.com, for every name below example.com. Without a port it is for every port. $NAME is replaced by an environment variable.',
    repeatable: true,
    expands: true,
    mask: maskHostHeaders,
  }),
  hosts: option({
    flags: '--hosts <hosts>',
    group: 'Configuration',
    parser: hostTable,
    default: NO_HOSTS,
    help: 'settings of single hosts, by host or *.example.com',
    details:
      'They win over the options of the run. If several entries match a host, the most specific one that has a setting decides.',
    inFileOnly: true,
    mask: maskHostTable,
  }),
  data: option({
    flags: '-d, --data <text|@file>',
    group: 'Request',
    parser: secretText,
    default: undefined,
    help: 'send text, or a file, as the request body',
    details: 'The content type is that of a form, unless a content-type header is given.',
    mask: maskData,
  }),
  jsonBody: option({
    flags: '--json-body <text|@file>',
    group: 'Request',
    parser: secretText,
    default: undefined,
    help: 'send JSON text, or a file, as the request body',
    details: 'It sets content-type and accept to application/json.',
    mask: maskData,
  }),
  userAgent: option({
    flags: '-A, --user-agent <text>',
    group: 'Request',
    parser: headerValue,
    default: undefined,
    defaultText: 'fanout/VERSION',
    help: 'user-agent header; an empty one sends none',
  }),
  user: option({
    flags: '-u, --user <name:password>',
    group: 'Request',
    parser: credentials,
    default: undefined,
    help: 'user name and password for URLs without any (HTTP Basic)',
    details: '$NAME is replaced by an environment variable.',
    expands: true,
    mask: maskCredentials,
  }),
  netrc: option({
    flags: '--netrc[=file]',
    group: 'Request',
    parser: netrcFile,
    default: undefined,
    defaultText: 'none; ~/.netrc without a file',
    help: 'take the login of each host from a netrc file',
    details:
      'Credentials in a URL, --user and an Authorization header win over it. A default entry is ignored, since it would go to every host.',
  }),
  cookies: option({
    flags: '--cookies <file>',
    group: 'Request',
    parser: cookies,
    default: undefined,
    defaultText: 'cookies within a redirect chain only',
    help: 'read cookies from a file, and write those of the run to it',
    details:
      'In the Netscape format, as curl and browsers write it. The file may be missing. By default, a cookie that a redirect sets is sent along its chain, and is then forgotten.',
    noHelp: 'send no cookies, not even within a redirect chain',
  }),
  maxRedirects: option({
    flags: '--max-redirects <n>',
    group: 'Request',
    parser: wholeNumber({ min: 0 }),
    default: 10,
    help: 'follow at most n redirects',
    details: 'With 0, --accept applies to the redirect itself.',
  }),
  decompress: option({
    flags: '--no-decompress',
    group: 'Request',
    parser: boolean,
    default: true,
    help: 'do not request or decompress compressed bodies',
  }),
};
