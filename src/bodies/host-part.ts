import { safePart } from '../model/file-name.ts';
import { originOf } from '../model/url.ts';
import { type NameText, nameText } from './name-text.ts';

// What tells schemes and ports apart, at the end of a name that has it by itself.
const LOOKS_LIKE_PORT = /_\d+s?$/;

/**
 * The host of a URL as one part of a name: `example.com` with https and its own port, `example.com_80` and
 * `example.com_8080` with http, `example.com_8443s` with https on another port, `[--1]` for `[::1]`.
 */
export function hostPart(url: string): NameText {
  const origin = originOf(url);
  const isHttps = origin.startsWith('https:');
  const host = origin.slice(isHttps ? 8 : 7);
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const suffix = isHttps ? (port === undefined ? '' : `_${port}s`) : `_${port ?? 80}`;
  const { text, isExact } = name.startsWith('[')
    ? { text: name.replaceAll(':', '-'), isExact: true }
    : nameText(name, safePart(name));
  return { text: text + suffix, isExact: isExact && !LOOKS_LIKE_PORT.test(text) };
}
