import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { systemReason, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { RunOptions } from './run-options.ts';

/** Text that should hold PEM, and what messages call it: `ca.pem for --cacert`. */
interface PemText {
  readonly text: string;
  readonly place: string;
}

/** What was given, by option. */
interface PemTexts {
  readonly cacert?: PemText | undefined;
  readonly cert?: PemText | undefined;
  readonly key?: PemText | undefined;
}

/** What TLS connections are made with, in PEM; whatever else the texts held is left out. */
export interface TlsMaterial {
  /** Certificates that are trusted in place of Node's own. */
  readonly ca?: string;
  /** The certificate that is shown to servers, with those that lead up to its CA, and its key. */
  readonly cert?: string;
  readonly key?: string;
}

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/gs;
const KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.*?-----END (?:[A-Z]+ )?PRIVATE KEY-----/gs;
const PASSPHRASE = /^-----BEGIN ENCRYPTED |^Proc-Type: *4, *ENCRYPTED/m;

/**
 * Checks and takes apart what `--cacert`, `--cert` and `--key` stand for. Without `key`, the key is in the text of `cert`.
 *
 * @throws UsageError for what is no PEM or cannot be read, a key with a passphrase, and one that is of another certificate
 */
export function tlsMaterial({ cacert, cert, key }: PemTexts): TlsMaterial {
  const trusted = cacert === undefined ? {} : { ca: certificatesIn(cacert).join('\n') };
  if (cert === undefined) {
    if (key !== undefined) throw wrong(key, 'it needs a certificate, too');
    return trusted;
  }
  const certificates = certificatesIn(cert);
  const identity = { cert: certificates.join('\n'), key: keyIn(key ?? cert, certificates[0] ?? '') };
  try {
    createSecureContext(identity);
  } catch (error) {
    throw wrong(cert, `OpenSSL must accept it (${reasonOf(error)})`);
  }
  return { ...trusted, ...identity };
}

/** The same for the options of the library, which hold the texts themselves. */
export function tlsMaterialIn(options: Readonly<Record<keyof PemTexts, string | undefined>>): TlsMaterial {
  const source = (option: keyof PemTexts) => {
    const text = options[option];
    return text === undefined ? undefined : { text, place: `the text of option ${option}` };
  };
  return tlsMaterial({ cacert: source('cacert'), cert: source('cert'), key: source('key') });
}

function certificatesIn(source: PemText): readonly string[] {
  const found = source.text.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw wrong(source, 'it must hold a certificate in PEM');
  for (const [index, pem] of found.entries()) {
    attempt(source, `its certificate ${index + 1} must be readable`, () => new X509Certificate(pem));
  }
  return found;
}

function keyIn(source: PemText, certificate: string): string {
  const [pem] = source.text.match(KEY) ?? [];
  if (pem === undefined) throw wrong(source, 'it must hold a private key in PEM');
  if (PASSPHRASE.test(pem)) throw wrong(source, 'its private key must have no passphrase');
  const key = attempt<KeyObject>(source, 'its private key must be readable', () => createPrivateKey(pem));
  if (!new X509Certificate(certificate).checkPrivateKey(key)) {
    throw wrong(source, 'its private key must be the one of the certificate');
  }
  return pem;
}

function attempt<T>(source: PemText, wish: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw wrong(source, `${wish} (${reasonOf(error)})`);
  }
}

function wrong({ place }: PemText, wish: string): UsageError {
  return new UsageError(`Cannot use ${place}: ${wish}`);
}

/** OpenSSL's word for it, without its numbers. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return printable('reason' in error ? String(error.reason) : error.message);
}

/**
 * Reads the files that `--cacert`, `--cert` and `--key` name. `readText` gives the text of a file.
 *
 * @throws UsageError when one of them cannot be read, or does not hold what it should
 */
export async function readTlsFiles(
  { cacert, cert, key }: Pick<RunOptions, 'cacert' | 'cert' | 'key'>,
  readText: (path: string) => Promise<string>,
): Promise<TlsMaterial> {
  return tlsMaterial({
    cacert: await read(cacert, '--cacert', readText),
    cert: await read(cert, '--cert', readText),
    key: await read(key, '--key', readText),
  });
}

async function read(
  path: string | undefined,
  flag: string,
  readText: (path: string) => Promise<string>,
): Promise<PemText | undefined> {
  if (path === undefined) return undefined;
  const place = `${printable(path)} for ${flag}`;
  try {
    return { text: await readText(path), place };
  } catch (error) {
    throw new UsageError(`Cannot read ${place}: ${printable(systemReason(error))}`);
  }
}
