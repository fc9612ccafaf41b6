import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { brokerTls, closeConnection, connectBroker } from '../../src/cluster/broker-connection.ts';
import { BrokerUnavailableError } from '../../src/model/errors.ts';
import { serverCertificate } from '../origin/certificates.ts';
import { aNatsServer } from './nats-server.ts';

const silent = { warn: () => {}, note: () => {} };

describe('connectBroker()', () => {
  it('gives up a server that sends nothing, and closes its socket', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.resume())).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The server has no port');
    const accepted = once(server, 'connection');
    const connecting = connectBroker({ servers: [`127.0.0.1:${address.port}`], isSecure: false }, silent, {
      connectTimeoutMs: 200,
      pingIntervalMs: 10_000,
    });
    await accepted;
    const other = connect(address.port, '127.0.0.1');
    onTestFinished(() => void other.destroy());
    await once(other, 'connect');
    const error = await connecting.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BrokerUnavailableError);
    expect(String(error)).toContain(`cannot connect to the broker at 127.0.0.1:${address.port}: timeout`);
    while (sockets.length < 2) await once(server, 'connection');
    const [own] = sockets.filter(({ remotePort }) => remotePort !== other.localPort);
    if (own?.closed === false) await once(own, 'close');
    expect([own?.closed, other.destroyed]).toEqual([true, false]);
  });

  it('notices a server that hangs by its missing pings, and that it is back', async () => {
    const server = await aNatsServer();
    const said: string[] = [];
    let onMessage: () => void = () => {};
    const message = () => new Promise<void>((resolve) => (onMessage = resolve));
    const say = (kind: string) => (text: string) => {
      said.push(`${kind}: ${text}`);
      onMessage();
    };
    const messages = { warn: say('warning'), note: say('note') };
    const timing = { connectTimeoutMs: 5000, pingIntervalMs: 50 };
    const { connection, isConnected } = await connectBroker(server.address, messages, timing);
    onTestFinished(() => closeConnection(connection));
    expect(isConnected()).toBe(true);
    const lost = message();
    server.hang();
    await lost;
    expect(isConnected()).toBe(false);
    const back = message();
    server.resume();
    await back;
    expect(isConnected()).toBe(true);
    expect(said).toEqual([
      `warning: lost the connection to the broker at 127.0.0.1:${server.port}: waiting for it`,
      `note: connected to the broker at 127.0.0.1:${server.port} again`,
    ]);
  });
});

/** A certificate for this name or address only, as Node passes it on. */
async function certificateFor(name: string): Promise<PeerCertificate> {
  return new X509Certificate((await serverCertificate({ names: [name] })).cert).toLegacyObject();
}

describe('brokerTls()', () => {
  it.each([
    ['the address', ['127.0.0.1:4222'], 'localhost', '127.0.0.1', true],
    ['another address', ['127.0.0.1:4222'], 'localhost', '127.0.0.2', false],
    ['localhost, of a server that was not called so', ['10.0.0.1:4222'], 'localhost', 'localhost', false],
    ['localhost, of one that was', ['localhost:4222'], 'localhost', 'localhost', true],
    ['an IPv6 address', ['[::1]:4222'], 'localhost', '::1', true],
    ['one of several addresses', ['10.0.0.1:1', '10.0.0.2:2'], 'localhost', '10.0.0.2', true],
    ['the name', ['queue:4222'], 'queue', 'queue', true],
    ['another name', ['queue:4222'], 'queue', 'elsewhere', false],
  ])(
    'accepts only a certificate for the server that was named, given one for %s',
    async (_, servers, name, subject, isValid) => {
      const error = brokerTls(servers).checkServerIdentity(name, await certificateFor(subject));
      expect(error === undefined).toBe(isValid);
    },
  );
});
