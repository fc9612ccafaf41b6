import { createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { readTlsFiles, tlsMaterial, tlsMaterialIn } from '../../src/config/tls-files.ts';
import { UsageError } from '../../src/model/errors.ts';
import { type Credentials, clientCertificate, testCa } from '../origin/certificates.ts';

let mine: Credentials;
let other: Credentials;
let ca: string;

beforeAll(async () => {
  [mine, other] = [await clientCertificate(), await clientCertificate()];
  ca = (await testCa()).cert;
});

const pem = (text: string, place = 'x.pem for --flag') => ({ text, place });
const trimmed = (text: string | undefined) => text?.trim();

describe('tlsMaterial()', () => {
  it('is nothing when nothing was given', () => {
    expect(tlsMaterial({})).toEqual({});
  });

  it('takes each certificate of a file, and leaves the text between them', () => {
    const { ca: taken } = tlsMaterial({ cacert: pem(`# mine\r\n${ca}\nanother:\n${mine.cert}`) });
    expect(taken?.match(/-----BEGIN CERTIFICATE-----/g)).toHaveLength(2);
    expect(taken).not.toMatch(/mine|another/);
  });

  it('takes a certificate with its chain, and its key from another file', () => {
    const { cert, key } = tlsMaterial({ cert: pem(`${mine.cert}\n${ca}`), key: pem(mine.key) });
    expect([cert?.match(/BEGIN/g)?.length, key]).toEqual([2, trimmed(mine.key)]);
  });

  it.each([
    ['before', () => mine.key + mine.cert],
    ['after', () => mine.cert + mine.key],
  ])('takes a key that stands %s the certificate', (_, text) => {
    expect(tlsMaterial({ cert: pem(text()) })).toEqual({
      cert: trimmed(mine.cert),
      key: trimmed(mine.key),
    });
  });

  it('takes a key of OpenSSL, too, that stands behind its parameters', () => {
    const sec1 = createPrivateKey(mine.key).export({ type: 'sec1', format: 'pem' });
    const text = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1}`;
    expect(tlsMaterial({ cert: pem(mine.cert), key: pem(text) }).key).toMatch(/^-----BEGIN EC PRIVATE KEY/);
  });

  const encrypted = (type: 'pkcs8' | 'sec1') =>
    `${createPrivateKey(mine.key).export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })}`;
  const broken = (text: string) => text.replace(/\n[^-][^\n]*\n/, '\nAAAA\n');

  it.each<[string, () => Parameters<typeof tlsMaterial>[0], RegExp]>([
    ['no PEM', () => ({ cacert: pem('hello') }), /: it must hold a certificate in PEM$/],
    ['nothing', () => ({ cacert: pem('') }), /: it must hold a certificate in PEM$/],
    ['a key alone', () => ({ cacert: pem(mine.key) }), /: it must hold a certificate in PEM$/],
    ['half a certificate', () => ({ cacert: pem(ca.slice(0, 100)) }), /must hold a certificate in PEM$/],
    [
      'a broken one',
      () => ({ cacert: pem(ca + broken(ca)) }),
      /: its certificate 2 must be readable \(.+\)$/,
    ],
    ['no key', () => ({ cert: pem(mine.cert) }), /: it must hold a private key in PEM$/],
    [
      'a broken key',
      () => ({ cert: pem(mine.cert), key: pem(broken(mine.key)) }),
      /: its private key must be readable \(.+\)$/,
    ],
    [
      'a key of another certificate',
      () => ({ cert: pem(mine.cert), key: pem(other.key) }),
      /: its private key must be the one of the certificate$/,
    ],
    ['a key without a certificate', () => ({ key: pem(mine.key) }), /: it needs a certificate, too$/],
    [
      'a key with a passphrase',
      () => ({ cert: pem(mine.cert), key: pem(encrypted('pkcs8')) }),
      /: its private key must have no passphrase$/,
    ],
    [
      'an old key with a passphrase',
      () => ({ cert: pem(mine.cert), key: pem(encrypted('sec1')) }),
      /: its private key must have no passphrase$/,
    ],
  ])('refuses %s, and shows nothing of it', (_, texts, wish) => {
    const attempt = () => tlsMaterial(texts());
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(wish);
    expect(attempt).toThrow(/^Cannot use x\.pem for --flag: [\x20-\x7e]{1,90}$/);
  });
});

describe('tlsMaterialIn()', () => {
  it('takes the texts themselves', () => {
    expect(tlsMaterialIn({ cacert: ca, cert: mine.cert, key: mine.key })).toEqual({
      ca: trimmed(ca),
      cert: trimmed(mine.cert),
      key: trimmed(mine.key),
    });
  });

  it('names the option of a text that it refuses', () => {
    const attempt = () => tlsMaterialIn({ cacert: 'ca.pem', cert: undefined, key: undefined });
    expect(attempt).toThrow('Cannot use the text of option cacert: it must hold a certificate in PEM');
  });
});

describe('readTlsFiles()', () => {
  const options = { cacert: undefined, cert: undefined, key: undefined };

  it('reads nothing when nothing is named', async () => {
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
        `Cannot read no\\u{1b}such.pem for --${key}: ENOENT: no such file or directory`,
      );
    },
  );
});
