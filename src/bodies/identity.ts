import { hash } from 'node:crypto';
import type { Job } from '../model/job.ts';

const DIGITS = 20;

const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

const NOTHING = identifying(undefined, {}, undefined);

/**
 * What tells the body of one job from that of another: its URL, and what else it asks for by itself. Of its credentials
 * only the name of the user counts: passwords and tokens change, and leave no trace in the name of a file.
 *
 * @param defaultMethod method of a job that names none and has no body
 */
export function identityOf(job: Job, defaultMethod: string): string {
  const { url, method, body, headers } = job;
  if (method === undefined && body === undefined && headers === undefined) return url;
  const sent = method ?? (body === undefined ? defaultMethod : 'POST');
  const extra = identifying(sent === defaultMethod ? undefined : sent, headers ?? {}, body);
  return extra === NOTHING ? url : `${url}\n${extra}`;
}

/** So many hex digits of its SHA-256 that no two identities of a billion are likely to have the same. */
export function hashOf(identity: string): string {
  return hash('sha256', identity, 'hex').slice(0, DIGITS);
}

function identifying(
  method: string | undefined,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): string {
  const told = Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name));
  return JSON.stringify([method, userOf(headers.authorization), told.sort(byName), body]);
}

function byName([first]: readonly [string, string], [second]: readonly [string, string]): number {
  return first < second ? -1 : 1;
}

function userOf(authorization: string | undefined): string | undefined {
  const [, credentials] = /^basic +(.+)$/i.exec(authorization ?? '') ?? [];
  return credentials === undefined
    ? undefined
    : Buffer.from(credentials, 'base64').toString('latin1').replace(/:.*$/s, '');
}
