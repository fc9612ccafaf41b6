import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { brokerTls } from '../../src/cluster/broker-connection.ts';
import { serverCertificate } from '../origin/certificates.ts';

/** A certificate for this name or address alone, as Node hands it over. */
async function certificateFor(name: string): Promise<PeerCertificate> {
  return new X509Certificate((await serverCertificate({ names: [name] })).cert).toLegacyObject();
}

test.each([
  ['the address', ['127.0.0.1:4222'], 'localhost', '127.0.0.1', true],
  ['another address', ['127.0.0.1:4222'], 'localhost', '127.0.0.2', false],
  ['localhost, of a server that was not called so', ['10.0.0.1:4222'], 'localhost', 'localhost', false],
  ['localhost, of one that was', ['localhost:4222'], 'localhost', 'localhost', true],
  ['an IPv6 address', ['[::1]:4222'], 'localhost', '::1', true],
  ['one of several addresses', ['10.0.0.1:1', '10.0.0.2:2'], 'localhost', '10.0.0.2', true],
  ['the name', ['queue:4222'], 'queue', 'queue', true],
  ['another name', ['queue:4222'], 'queue', 'elsewhere', false],
])(
  'brokerTls() wants a certificate for what was asked for, given one for %s',
  async (_, servers, name, subject, isRight) => {
    const error = brokerTls(servers, undefined).checkServerIdentity(name, await certificateFor(subject));
    expect(error === undefined).toBe(isRight);
  },
);
