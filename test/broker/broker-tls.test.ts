import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { brokerTls } from '../../src/broker/broker-tls.ts';

/** What of a certificate says whom it is for. */
function certificate(subjectaltname: string): PeerCertificate {
  return { subject: {}, subjectaltname } as unknown as PeerCertificate; // nothing else of it is looked at
}

test.each([
  ['the address', ['127.0.0.1:4222'], 'localhost', 'IP Address:127.0.0.1', true],
  ['another address', ['127.0.0.1:4222'], 'localhost', 'IP Address:127.0.0.2', false],
  ['localhost, of a server that was not called so', ['10.0.0.1:4222'], 'localhost', 'DNS:localhost', false],
  ['localhost, of one that was', ['localhost:4222'], 'localhost', 'DNS:localhost', true],
  ['an IPv6 address', ['[::1]:4222'], 'localhost', 'IP Address:0:0:0:0:0:0:0:1', true],
  ['one of several addresses', ['10.0.0.1:1', '10.0.0.2:2'], 'localhost', 'IP Address:10.0.0.2', true],
  ['the name', ['queue:4222'], 'queue', 'DNS:queue', true],
  ['another name', ['queue:4222'], 'queue', 'DNS:elsewhere', false],
])(
  'brokerTls() wants a certificate for what was asked for, given one for %s',
  (_, servers, name, names, isRight) => {
    const error = brokerTls(servers, undefined).checkServerIdentity(name, certificate(names));
    expect(error === undefined).toBe(isRight);
  },
);
