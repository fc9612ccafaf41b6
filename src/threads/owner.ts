/** Which of `count` threads a lane belongs to, from 0: the same for the whole run. FNV-1a, with its bits mixed at the end. */
export function ownerOf(lane: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < lane.length; at += 1) hash = Math.imul(hash ^ lane.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % count;
}
