import { printable } from '../model/printable.ts';

// What people know under another name, by Node's code for what OpenSSL found.
const HINTS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: ' (is this a plain HTTP port?)',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ' (is this a plain HTTP port?)',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ' (give one with --cert)',
};

// Newer versions of Node tell the user of a program how to run Node.
const NODE_ADVICE = /; if the root CA is installed locally.*$/;

/**
 * One printable line for people that says what an error is: never empty, and without the internals of OpenSSL, whose
 * own word for it stands in `reason`.
 */
export function explain(error: Error & { readonly code?: string | undefined }): string {
  const { code = '' } = error;
  if ('reason' in error && typeof error.reason === 'string' && code.startsWith('ERR_SSL_')) {
    return printable(`${error.reason}${HINTS[code] ?? ''}`);
  }
  return printable(error.message.replace(NODE_ADVICE, '') || partsOf(error) || code || error.name);
}

/** An AggregateError has no message of its own. */
function partsOf(error: Error): string {
  if (!(error instanceof AggregateError)) return '';
  const messages = error.errors.map((part) => (part instanceof Error ? explain(part) : String(part)));
  return [...new Set(messages)].join('; ');
}
