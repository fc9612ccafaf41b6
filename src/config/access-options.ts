import { option } from './option.ts';
import { boolean } from './parsers/boolean.ts';
import { credentials } from './parsers/credentials.ts';
import { type HostHeader, hostHeaders } from './parsers/host-header.ts';
import { maskCredentials, maskHostHeaders } from './secrets.ts';

const NO_HEADERS: readonly HostHeader[] = Object.freeze([]);

/** Who is let in, and where to: part of `runOptions`. */
export const accessOptions = {
  headerFor: option({
    flags: '--header-for <line>',
    group: 'Request',
    parser: hostHeaders,
    default: NO_HEADERS,
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
