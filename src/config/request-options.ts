import { option } from './option.ts';
import {
  credentials,
  type Header,
  type HostHeader,
  headers,
  headerValue,
  hostHeaders,
} from './parse/headers.ts';
import { wholeNumber } from './parse/numbers.ts';
import { boolean, method, oneOf, secretText } from './parse/texts.ts';
import { maskCredentials, maskData, maskHeaders, maskHostHeaders } from './secrets.ts';

const NO_HEADERS: readonly Header[] = Object.freeze([]);
const NO_HOST_HEADERS: readonly HostHeader[] = Object.freeze([]);

/** How lines become URLs, and what every request has. */
export const requestOptions = {
  unique: option({
    flags: '--unique',
    group: 'Lines',
    parser: boolean,
    default: false,
    help: 'fetch each distinct URL once and count the others as skipped',
  }),
  defaultScheme: option({
    flags: '--default-scheme <scheme>',
    group: 'Lines',
    parser: oneOf(['http', 'https']),
    default: undefined,
    help: 'take a line without a scheme, such as example.com/x, as a URL of this one: http or https',
  }),
  method: option({
    flags: '-X, --method <method>',
    group: 'Request',
    parser: method,
    default: undefined,
    defaultText: 'GET, or POST with --data',
    help: 'request method',
  }),
  head: option({
    flags: '-I, --head',
    group: 'Request',
    parser: boolean,
    default: false,
    help: 'send HEAD, and GET once more where the answer is 405 or 501',
  }),
  header: option({
    flags: '-H, --header <line>',
    group: 'Request',
    parser: headers,
    default: NO_HEADERS,
    help: "send this header, 'Name: value', with every request; $NAME is taken from the environment and $$ is a $ (repeatable)",
    repeatable: true,
    expands: true,
    mask: maskHeaders,
  }),
  data: option({
    flags: '-d, --data <text|@file>',
    group: 'Request',
    parser: secretText,
    default: undefined,
    help: 'send this text, or what the file holds, as the body; it is a form unless a content-type header says otherwise',
    mask: maskData,
  }),
  jsonBody: option({
    flags: '--json-body <text|@file>',
    group: 'Request',
    parser: secretText,
    default: undefined,
    help: 'send this JSON text, or the content of the file, as the body; content-type and accept are application/json',
    mask: maskData,
  }),
  userAgent: option({
    flags: '-A, --user-agent <text>',
    group: 'Request',
    parser: headerValue,
    default: undefined,
    defaultText: 'fanout/VERSION',
    help: 'send this user-agent header; none when it is empty',
  }),
  maxRedirects: option({
    flags: '--max-redirects <n>',
    group: 'Request',
    parser: wholeNumber({ min: 0 }),
    default: 10,
    help: 'follow so many redirects; with 0 the redirect itself is judged by --accept',
  }),
  decompress: option({
    flags: '--no-decompress',
    group: 'Request',
    parser: boolean,
    default: true,
    help: 'take bodies as they are sent, and ask for no compression',
  }),
};

/** Which credentials hosts get, and which addresses are refused. */
export const accessOptions = {
  headerFor: option({
    flags: '--header-for <line>',
    group: 'Request',
    parser: hostHeaders,
    default: NO_HOST_HEADERS,
    help: "send this header, 'HOST Name: value', to that host alone, which may have a port; $NAME is taken from the environment (repeatable)",
    repeatable: true,
    expands: true,
    mask: maskHostHeaders,
  }),
  user: option({
    flags: '-u, --user <name:password>',
    group: 'Request',
    parser: credentials,
    default: undefined,
    help: 'log in with these (Basic) where a URL has none of its own; $NAME is taken from the environment',
    expands: true,
    mask: maskCredentials,
  }),
  denyPrivate: option({
    flags: '--deny-private',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'refuse to connect to addresses that are private, loopback, link-local or otherwise special',
  }),
};
