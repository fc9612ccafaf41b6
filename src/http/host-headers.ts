import { hostOf } from '../model/url.ts';

/** Headers for one host alone: by `host`, for every port of it, or by `host:port`. */
export type HostHeaders = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** The headers that are for the host of a serialised URL, if there are any; those for its port win. */
export function headersFor(
  table: HostHeaders | undefined,
  url: string,
): Readonly<Record<string, string>> | undefined {
  if (table === undefined) return undefined;
  const host = hostOf(url);
  const [, name = host, port = url.startsWith('https:') ? '443' : '80'] = /^(.*):(\d+)$/.exec(host) ?? [];
  const all = table.get(name);
  const own = table.get(`${name}:${port}`);
  return all === undefined || own === undefined ? (all ?? own) : { ...all, ...own };
}
