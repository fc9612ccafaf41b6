import { createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseTlsMaterial, readTlsFiles, toTlsMaterial } from '../../src/config/tls-files.ts';
import { UsageError } from '../../src/model/errors.ts';
import { type Credentials, clientCertificate, testCa, weakCertificate } from '../origin/certificates.ts';

let mine: Credentials;
let other: Credentials;
let ca: string;
let weak: Credentials;

beforeAll(async () => {
  weak = await weakCertificate();
  [mine, other] = [await clientCertificate(), await clientCertificate()];
  ca = (await testCa()).cert;
});

const pem = (text: string) => ({ text, label: 'x.pem for --flag' });
const trimmed = (text: string | undefined) => text?.trim();

describe('parseTlsMaterial()', () => {
  it('gives nothing if nothing is given', () => {
    expect(parseTlsMaterial({})).toEqual({});
  });

  it('takes each certificate of a file, without the text between them', () => {
    const { ca: taken } = parseTlsMaterial({ cacert: pem(`# mine\r\n${ca}\nanother:\n${mine.cert}`) });
    expect(taken).toBe(`${trimmed(ca)}\n${trimmed(mine.cert)}`);
  });

  it('takes a certificate with its chain, and its key from another file', () => {
    const { cert, key } = parseTlsMaterial({ cert: pem(`${mine.cert}\n${ca}`), key: pem(mine.key) });
    expect([cert, key]).toEqual([`${trimmed(mine.cert)}\n${trimmed(ca)}`, trimmed(mine.key)]);
  });

  it.each([
    ['before', () => mine.key + mine.cert],
    ['after', () => mine.cert + mine.key],
  ])('takes a key %s the certificate', (_, text) => {
    expect(parseTlsMaterial({ cert: pem(text()) })).toEqual({
      cert: trimmed(mine.cert),
      key: trimmed(mine.key),
    });
  });

  it('takes a key in the old format of OpenSSL, which follows its parameters', () => {
    const sec1 = createPrivateKey(mine.key).export({ type: 'sec1', format: 'pem' });
    const text = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1}`;
    expect(parseTlsMaterial({ cert: pem(mine.cert), key: pem(text) }).key).toMatch(
      /^-----BEGIN EC PRIVATE KEY/,
    );
  });

  const encrypted = (type: 'pkcs8' | 'sec1') =>
    `${createPrivateKey(mine.key).export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })}`;
  const broken = (text: string) => text.replace(/\n[^-][^\n]*\n/, '\nAAAA\n');

  it.each<[string, () => Parameters<typeof parseTlsMaterial>[0], RegExp]>([
    ['no PEM', () => ({ cacert: pem('hello') }), /: must contain a PEM certificate$/],
    ['nothing', () => ({ cacert: pem('') }), /: must contain a PEM certificate$/],
    ['a key alone', () => ({ cacert: pem(mine.key) }), /: must contain a PEM certificate$/],
    ['half a certificate', () => ({ cacert: pem(ca.slice(0, 100)) }), /must contain a PEM certificate$/],
    ['a broken one', () => ({ cacert: pem(ca + broken(ca)) }), /: certificate 2 must be readable \(.+\)$/],
    [
      'a key that is too short',
      () => ({ cert: pem(weak.cert), key: pem(weak.key) }),
      /: must be accepted by OpenSSL \(ee key too small\)$/,
    ],
    ['no key', () => ({ cert: pem(mine.cert) }), /: must contain a PEM private key$/],
    [
      'a broken key',
      () => ({ cert: pem(mine.cert), key: pem(broken(mine.key)) }),
      /: the private key must be readable \(.+\)$/,
    ],
    [
      'a key of another certificate',
      () => ({ cert: pem(mine.cert), key: pem(other.key) }),
      /: the private key must match the certificate$/,
    ],
    ['a key without a certificate', () => ({ key: pem(mine.key) }), /: needs its certificate too, in cert$/],
    [
      'a key with a passphrase',
      () => ({ cert: pem(mine.cert), key: pem(encrypted('pkcs8')) }),
      /: the private key must have no passphrase$/,
    ],
    [
      'an old key with a passphrase',
      () => ({ cert: pem(mine.cert), key: pem(encrypted('sec1')) }),
      /: the private key must have no passphrase$/,
    ],
  ])('refuses %s, and shows nothing of it', (_, texts, requirement) => {
    const attempt = () => parseTlsMaterial(texts());
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(requirement);
    expect(attempt).toThrow(/^invalid value x\.pem for --flag: [\x20-\x7e]{1,90}$/);
  });
});

describe('toTlsMaterial()', () => {
  it('takes the texts themselves', () => {
    expect(toTlsMaterial({ cacert: ca, cert: mine.cert, key: mine.key })).toEqual({
      ca: trimmed(ca),
      cert: trimmed(mine.cert),
      key: trimmed(mine.key),
    });
  });

  it('names the option of a text that it refuses', () => {
    const attempt = () => toTlsMaterial({ cacert: 'ca.pem', cert: undefined, key: undefined });
    expect(attempt).toThrow('invalid value for option cacert: must contain a PEM certificate');
  });
});

describe('readTlsFiles()', () => {
  const options = { cacert: undefined, cert: undefined, key: undefined };

  it('reads nothing if nothing is named', async () => {
    const readText = () => Promise.reject(new Error('read'));
    expect(await readTlsFiles(options, readText)).toEqual({});
  });

  it('reads each file by its name', async () => {
    const files: Readonly<Record<string, string>> = { 'a.pem': ca, 'b.pem': mine.cert, 'c.pem': mine.key };
    const named = { cacert: 'a.pem', cert: 'b.pem', key: 'c.pem' };
    expect(await readTlsFiles(named, async (path) => files[path] ?? '')).toEqual({
      ca: trimmed(ca),
      cert: trimmed(mine.cert),
      key: trimmed(mine.key),
    });
  });

  it.each(['cacert', 'cert', 'key'] as const)(
    'names the file and the flag when %s cannot be read',
    async (key) => {
      const reading = readTlsFiles({ ...options, [key]: 'no\u001bsuch.pem' }, () =>
        Promise.reject(new Error('ENOENT: no such file or directory')),
      );
      await expect(reading).rejects.toThrow(UsageError);
      await expect(reading).rejects.toThrow(
        `cannot read no\\u{1b}such.pem for --${key}: ENOENT: no such file or directory`,
      );
    },
  );
});
