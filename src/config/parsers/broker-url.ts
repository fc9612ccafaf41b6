import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { hostnameOf } from './hostname-of.ts';

/** Where a broker is, and who asks. */
export interface BrokerUrl {
  /** `host:port`, one for each server of a cluster. */
  readonly servers: readonly string[];
  readonly isSecure: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

const WISH = 'it must look like nats://[user:password@]host[:port][,host...], or tls://...';
const BROKER_URL = /^(nats|tls):\/\/(?:([^@]*)@)?([^@/?#]+)\/?$/i;
const DEFAULT_PORT = 4222;

/** The URL of a NATS server, or of several of one cluster. A refused value is not shown: it may hold a password. */
export const brokerUrl: Parser<BrokerUrl> = {
  parse(value) {
    const [, scheme = '', userinfo, hosts = ''] =
      (typeof value === 'string' && BROKER_URL.exec(value.trim())) || [];
    if (scheme === '') throw new BadValue(WISH);
    return Object.freeze({
      servers: hosts.split(',').map(serverOf),
      isSecure: scheme.toLowerCase() === 'tls',
      ...credentialsOf(userinfo),
    });
  },
  print: (value) => urlOf(value, userinfoOf(value)),
  show: () => 'the value',
};

/** The URL with `***` for its credentials. */
export function maskBroker(value: BrokerUrl): string {
  return urlOf(value, userinfoOf(value) === '' ? '' : '***@');
}

function serverOf(host: string): string {
  // Parsed as another scheme, since WHATWG leaves hosts of unknown ones as they are.
  const hostname = hostnameOf(host);
  if (hostname === undefined) throw new BadValue(WISH);
  const port = /:(\d+)$/.exec(host)?.[1];
  return `${hostname}:${port ?? DEFAULT_PORT}`;
}

function credentialsOf(userinfo: string | undefined): Pick<BrokerUrl, 'user' | 'password' | 'token'> {
  if (!userinfo) return {};
  const [user = '', password] = [userinfo.split(':', 1)[0], userinfo.split(':').slice(1).join(':')];
  try {
    if (!userinfo.includes(':')) return { token: decodeURIComponent(user) };
    return { user: decodeURIComponent(user), password: decodeURIComponent(password) };
  } catch {
    throw new BadValue('a % in its user name or password must be written as %25');
  }
}

function userinfoOf({ user, password, token }: BrokerUrl): string {
  if (token !== undefined) return `${encodeURIComponent(token)}@`;
  return user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password ?? '')}@`;
}

function urlOf({ servers, isSecure }: BrokerUrl, userinfo: string): string {
  return `${isSecure ? 'tls' : 'nats'}://${userinfo}${servers.join(',')}`;
}
