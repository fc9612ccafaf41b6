import type { Header } from './parsers/header.ts';

const SECRET_NAME = /^(?:authorization|cookie|proxy-authorization)$|token|secret|key|password/;

/** Headers as lines, where those whose name says that they hold a secret have `***` for a value. */
export function maskHeaders(list: readonly Header[]): readonly string[] {
  return list.map(({ name, value }) => `${name}: ${SECRET_NAME.test(name) ? '***' : value}`);
}

/** The length of a request body in place of it; a file is named. */
export function maskData(data: string): string {
  return data.startsWith('@') ? data : `*** (${Buffer.byteLength(data)} bytes)`;
}
