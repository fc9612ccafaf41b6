const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether this is a token of RFC 9110, section 5.6.2: what methods and header names are made of. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
