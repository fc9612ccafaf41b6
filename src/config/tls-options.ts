import { option } from './option.ts';
import { boolean } from './parsers/boolean.ts';
import { fileName } from './parsers/text.ts';

/** Whom to trust, who to be, and which protocol to speak where there is TLS: part of `runOptions`. */
export const tlsOptions = {
  http2: option({
    flags: '--http2',
    group: 'Request',
    parser: boolean,
    default: false,
    help: 'speak HTTP/2 with https servers that offer it; otherwise HTTP/1.1',
  }),
  insecure: option({
    flags: '-k, --insecure',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'accept any certificate of a server, also one that is expired, self-signed or for another host',
  }),
  cacert: option({
    flags: '--cacert <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    defaultText: "Node's own certificates",
    help: 'trust the certificates in this PEM file, and no others',
  }),
  cert: option({
    flags: '--cert <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    help: 'show the certificate in this PEM file to servers that ask for one',
  }),
  key: option({
    flags: '--key <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    defaultText: 'the file of --cert',
    help: 'the private key of --cert, in PEM and without a passphrase',
  }),
};
