import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { clientCertificate } from '../origin/certificates.ts';
import * as tls from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { startHttp2 } from './http2-origin.ts';

describe('a client certificate', () => {
  const LEFT = { hasLeftOrigin: true };

  it.each([
    ['TLSv1.2', false],
    ['TLSv1.3', false],
    ['TLSv1.3', true],
  ] as const)(
    'is shown only to the origin of the URL, whatever connections and sessions there are (%s, HTTP/2 %s)',
    async (maxVersion, http2) => {
      const names: unknown[] = [];
      const asks = { maxVersion, requestCert: true, rejectUnauthorized: false, ca: await tls.caPem() };
      const origin = await startHttp2({}, { ...asks, allowHTTP1: true }, (socket) => {
        names.push((socket as TLSSocket).getPeerCertificate()?.subject?.CN); // of a secure server
      });
      const { send, agent } = await startClient({ tls: { http2, ...(await clientCertificate()) } });
      for (const isKept of [true, false]) {
        for (const hop of [{}, LEFT, {}, LEFT]) {
          expect((await send(origin.url, hop)).response?.status).toBe(200);
          if (!isKept) agent.closeIdle(); // so that the next one resumes a session
        }
      }
      const own = 'fanout test client';
      expect(names).toEqual([own, undefined, own, undefined, own, undefined, own, undefined]);
      expect(origin.accepted.count).toBe(5);
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is missed by a server that requires one after a redirect, which the message explains (%s)',
    async (version) => {
      const requires = { requestCert: true, rejectUnauthorized: true, ca: await tls.caPem() };
      const origin = await running(tls.startHttps({ tls: { ...requires, maxVersion: version } }));
      const { send } = await startClient({ tls: await clientCertificate() });
      expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
      const { failed } = await send(`${origin.url}/ok`, LEFT);
      expect(failed?.failure.kind).toBe('tls');
      expect(failed?.failure.message).toMatch(
        / \(--cert is sent only to the origin of the URL, not after a redirect to another\)$/,
      );
      expect(failed?.failure.message).not.toContain('give one');
    },
  );

  it('is not mentioned where there is none', async () => {
    const origin = await running(tls.startMutualTls());
    const { send } = await startClient();
    expect((await send(`${origin.url}/ok`, LEFT)).failed?.failure.message).toMatch(
      /\(give one with --cert\)$/,
    );
  });
});
