import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { systemReason, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import type { RunOptions } from './run-options.ts';

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/gs;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.*?-----END (?:[A-Z]+ )?PRIVATE KEY-----/gs;
const PASSPHRASE = /^-----BEGIN ENCRYPTED |^Proc-Type: *4, *ENCRYPTED/m;

/** Checked certificates and key for TLS connections, in PEM without any text around it. */
export interface TlsMaterial {
  /** Certificates to trust instead of Node's own. */
  readonly ca?: string;
  /** The client certificate, followed by those of its chain. */
  readonly cert?: string;
  /** The private key of `cert`. */
  readonly key?: string;
}

/** Text that must contain PEM, and how messages name it: `ca.pem for --cacert`. */
interface PemText {
  readonly text: string;
  readonly label: string;
}

interface PemTexts {
  readonly cacert?: PemText | undefined;
  readonly cert?: PemText | undefined;
  readonly key?: PemText | undefined;
}

const FLAGS = { cacert: '--cacert', cert: '--cert', key: '--key' } as const;

/**
 * Reads the files that `--cacert`, `--cert` and `--key` name, or the options in `flags`. `readText` returns the text of a file.
 *
 * @throws UsageError if one cannot be read, or as `parseTlsMaterial`
 */
export async function readTlsFiles(
  { cacert, cert, key }: Pick<RunOptions, 'cacert' | 'cert' | 'key'>,
  readText: (path: string) => Promise<string>,
  flags: Readonly<Record<keyof typeof FLAGS, string>> = FLAGS,
): Promise<TlsMaterial> {
  return parseTlsMaterial({
    cacert: await readPem(cacert, flags.cacert, readText),
    cert: await readPem(cert, flags.cert, readText),
    key: await readPem(key, flags.key, readText),
  });
}

async function readPem(
  path: string | undefined,
  flag: string,
  readText: (path: string) => Promise<string>,
): Promise<PemText | undefined> {
  if (path === undefined) return undefined;
  const label = `${excerpt(path)} for ${flag}`;
  try {
    return { text: await readText(path), label };
  } catch (error) {
    throw new UsageError(`cannot read ${label}: ${printable(systemReason(error))}`);
  }
}

/** The same for the options of the library, which are the PEM texts themselves. */
export function toTlsMaterial(options: Readonly<Record<keyof PemTexts, string | undefined>>): TlsMaterial {
  const toPem = (option: keyof PemTexts): PemText | undefined => {
    const text = options[option];
    return text === undefined ? undefined : { text, label: `for option ${option}` };
  };
  return parseTlsMaterial({ cacert: toPem('cacert'), cert: toPem('cert'), key: toPem('key') });
}

/**
 * Extracts and checks certificates and key. Without `key`, the key is in the text of `cert`.
 *
 * @throws UsageError for text without PEM, an unreadable certificate or key, a key with a passphrase, and a key of
 * another certificate
 */
export function parseTlsMaterial({ cacert, cert, key }: PemTexts): TlsMaterial {
  const trusted = cacert === undefined ? {} : { ca: extractCertificates(cacert).join('\n') };
  if (cert === undefined) {
    if (key !== undefined) throw rejection(key, 'needs its certificate too, in cert');
    return trusted;
  }
  const certificates = extractCertificates(cert);
  const identity = { cert: certificates.join('\n'), key: extractKey(key ?? cert, certificates[0] ?? '') };
  // OpenSSL rejects some certificates that can be parsed, such as one with a short key.
  attempt(cert, 'must be accepted by OpenSSL', () => createSecureContext(identity));
  return { ...trusted, ...identity };
}

function extractCertificates(source: PemText): readonly string[] {
  const found = source.text.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw rejection(source, 'must contain a PEM certificate');
  for (const [index, pem] of found.entries()) {
    attempt(source, `certificate ${index + 1} must be readable`, () => new X509Certificate(pem));
  }
  return found;
}

function extractKey(source: PemText, certificate: string): string {
  const [pem] = source.text.match(PRIVATE_KEY) ?? [];
  if (pem === undefined) throw rejection(source, 'must contain a PEM private key');
  if (PASSPHRASE.test(pem)) throw rejection(source, 'the private key must have no passphrase');
  const key = attempt<KeyObject>(source, 'the private key must be readable', () => createPrivateKey(pem));
  if (!new X509Certificate(certificate).checkPrivateKey(key)) {
    throw rejection(source, 'the private key must match the certificate');
  }
  return pem;
}

/** Runs a function of OpenSSL, and names its reason if it fails. */
function attempt<T>(source: PemText, requirement: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw rejection(source, `${requirement} (${opensslReason(error)})`);
  }
}

function rejection({ label }: PemText, requirement: string): UsageError {
  return new UsageError(`invalid value ${label}: ${requirement}`);
}

/** The reason that OpenSSL gives, without its error numbers. */
function opensslReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return printable('reason' in error ? String(error.reason) : error.message);
}
