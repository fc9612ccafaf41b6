import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAccount, createOperator, createUser, type KeyPair } from '@nats-io/nkeys';
import { tempDir } from '../origin/temp-dir.ts';

/** A NATS operator with one account: the configuration of its servers, and the credentials of one user. */
export interface Operator {
  /** A configuration file for `nats-server -c`. */
  readonly config: string;
  /** The text of a credentials file of a user. */
  readonly credentials: string;
  /** The secret in the credentials. */
  readonly seed: string;
}

const UNLIMITED = {
  subs: -1,
  data: -1,
  payload: -1,
  conn: -1,
  leaf: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  mem_storage: -1,
  disk_storage: -1,
  streams: -1,
  consumer: -1,
};

/** Creates new keys, and signs the claims with them as `nsc` does. */
export async function anOperator(): Promise<Operator> {
  const [operator, account, system, user] = [
    createOperator(),
    createAccount(),
    createAccount(),
    createUser(),
  ];
  const claims = { limits: UNLIMITED, type: 'account' };
  const preload = [
    [account.getPublicKey(), jwt(operator, account, claims)],
    [
      system.getPublicKey(),
      jwt(operator, system, { ...claims, limits: { ...UNLIMITED, disk_storage: 0, mem_storage: 0 } }),
    ],
  ];
  const config = join(await tempDir(), 'operator.conf');
  await writeFile(
    config,
    [
      `operator: ${jwt(operator, operator, { type: 'operator', system_account: system.getPublicKey() })}`,
      `system_account: ${system.getPublicKey()}`,
      'resolver: MEMORY',
      `resolver_preload: {\n${preload.map((pair) => pair.join(': ')).join('\n')}\n}`,
    ].join('\n'),
  );
  const token = jwt(account, user, { pub: {}, sub: {}, subs: -1, data: -1, payload: -1, type: 'user' });
  const seed = new TextDecoder().decode(user.getSeed());
  return { config, seed, credentials: block('NATS USER JWT', token) + block('USER NKEY SEED', seed) };
}

function jwt(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const [iss, sub] = [issuer.getPublicKey(), subject.getPublicKey()];
  const head = encoded({ typ: 'JWT', alg: 'ed25519-nkey' });
  const body = encoded({ jti: sub, iat: 1, iss, sub, name: 'test', nats: { ...nats, version: 2 } });
  const signature = issuer.sign(Buffer.from(`${head}.${body}`));
  return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function block(name: string, text: string): string {
  return `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n\n`;
}
