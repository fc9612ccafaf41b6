import { createServer, type TlsOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TlsConnector, TlsSessions } from '../../src/http/tls.ts';
import { serverCertificate } from '../origin/certificates.ts';
import { listen } from '../origin/listen.ts';
import { caPem } from '../origin/tls.ts';

const [one, two, three] = [Buffer.from('1'), Buffer.from('2'), Buffer.from('3')];

describe('TlsSessions', () => {
  it('gives the last session of a server once', () => {
    const sessions = new TlsSessions(10);
    sessions.put('a:1', one);
    sessions.put('a:1', two);
    expect([sessions.take('a:2'), sessions.take('a:1'), sessions.take('a:1')]).toEqual([
      undefined,
      two,
      undefined,
    ]);
  });

  it('forgets the server that was connected to the longest time ago', () => {
    const sessions = new TlsSessions(2);
    sessions.put('a:1', one);
    sessions.put('b:1', two);
    sessions.put('a:1', one);
    sessions.put('c:1', three);
    expect(['a:1', 'b:1', 'c:1'].map((server) => sessions.take(server))).toEqual([one, undefined, three]);
  });
});

describe('Secure', () => {
  const NAMES = ['one.test', 'two.test'];

  /** Connects to the server by each name in turn, and tells each time whether a session was resumed. */
  async function resumed(hostnames: readonly string[], options: TlsOptions = {}, insecure = false) {
    const certificate = await serverCertificate({ names: NAMES });
    const server = createServer({ ...certificate, ...options }, (socket) => socket.end('x'));
    const { port, close } = await listen(server);
    onTestFinished(close);
    const secure = new TlsConnector({ ca: await caPem(), insecure });
    const seen: unknown[] = [];
    for (const hostname of hostnames) {
      const socket = secure.connect({ address: '127.0.0.1', port }, hostname);
      let outcome: unknown = 'no handshake';
      socket.once('secureConnect', () => {
        outcome = socket.isSessionReused();
      });
      socket.once('error', (error: Error & { code: string }) => {
        outcome = error.code;
      });
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
      seen.push(outcome);
    }
    return seen;
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes a session of %s', async (maxVersion) => {
    expect(await resumed(['one.test', 'one.test', 'one.test'], { maxVersion })).toEqual([false, true, true]);
  });

  it('resumes no session for another name, which the certificate may not be for', async () => {
    expect(await resumed(['one.test', 'two.test', 'three.test'])).toEqual([
      false,
      false,
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ]);
  });

  it('keeps no session of a server that it does not trust', async () => {
    expect(await resumed(['three.test', 'three.test'])).toEqual([
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ]);
  });

  it('resumes sessions also where any certificate will do', async () => {
    expect(await resumed(['three.test', 'three.test'], {}, true)).toEqual([false, true]);
  });
});
