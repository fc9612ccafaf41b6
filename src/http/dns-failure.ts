import { printable } from '../model/printable.ts';
import { DialError } from './dial-error.ts';

// By the codes of c-ares and of getaddrinfo.
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ENODATA: 'the name has no address',
  EBADNAME: 'this is no name that DNS can hold',
  ESERVFAIL: 'the name server could not find it out',
  EREFUSED: 'the name server refuses to answer',
  ECONNREFUSED: 'there is no name server where one should be',
  ETIMEOUT: 'the name server does not answer in time',
  EBADRESP: 'the answer of the name server is malformed',
  EFORMERR: 'the name server does not understand the query',
  ENOTIMP: 'the name server does not know this kind of query',
  ECANCELLED: 'the run has ended',
  EAI_AGAIN: 'the resolver of the system fails for the moment',
  EAI_FAIL: 'the resolver of the system fails',
};

const FINAL_CODES: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/** Whether DNS has spoken: another look-up ends the same way. */
export function isFinalDnsCode(code: string | undefined): boolean {
  return FINAL_CODES.has(code);
}

/** Why a name has no address, in words; `reason` stands in for the usual words of the code. */
export function dnsFailure(
  hostname: string,
  code: string | undefined,
  reason: string = dnsReason(code),
): DialError {
  return new DialError('dns', code, `${code ?? 'no address'} ${printable(hostname)}: ${reason}`);
}

/** What a code of a look-up means, in words. */
export function dnsReason(code: string | undefined): string {
  return REASONS[code ?? ''] ?? 'the look-up failed';
}
