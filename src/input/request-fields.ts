import { isToken, OWNED_HEADERS } from '../model/request-rules.ts';
import { excerpt } from './shown-url.ts';

// What a header can carry: latin1 without control characters, save the tab.
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Why a value is no request method, or `undefined` when it is one. */
export function methodFault(method: string): string | undefined {
  if (!isToken(method)) {
    return `Cannot use "${excerpt(method)}" as a method: it must be one word such as GET or POST`;
  }
  if (method.toUpperCase() === 'CONNECT') {
    return 'Cannot use "CONNECT" as a method: it opens a tunnel, a job must ask for something';
  }
  return undefined;
}

/** Why an object cannot be the headers of a request, or `undefined` when it can. Values are never named: they may be secret. */
export function headersFault(headers: object): string | undefined {
  const seen = new Set<string>();
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    const fault = `Cannot use the header "${excerpt(given)}"`;
    if (!isToken(given)) return `${fault}: its name must be one word of letters, digits and dashes`;
    if (OWNED_HEADERS.has(name)) return `${fault}: fanout sets it, a job must not`;
    if (seen.has(name)) return `${fault}: it must be given once`;
    if (typeof value !== 'string') return `${fault}: its value must be a string`;
    if (!HEADER_VALUE.test(value)) {
      return `${fault}: its value must be latin1 text without control characters`;
    }
    seen.add(name);
  }
  return undefined;
}

/** Headers with lower-case names; a name such as `__proto__` stays a plain key. */
export function sentHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
