import { hostOf } from '../model/url.ts';

/** The partition of a URL's host, from 0: the same on every machine (FNV-1a, 32 bits, over UTF-16 units). */
export function hostPartition(url: string, partitions: number): number {
  if (partitions === 1) return 0;
  const host = hostOf(url);
  let hash = 0x811c9dc5;
  for (let at = 0; at < host.length; at++) {
    hash = Math.imul(hash ^ host.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
