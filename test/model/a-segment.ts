import type { ShardSegment } from '../../src/model/result-line.ts';

export function aSegment(changes: Partial<ShardSegment> = {}): ShardSegment {
  return {
    chunk: 7,
    shard: 'host-1-0a1b2c3d.jsonl.gz',
    offset: 100,
    bytes: 4000,
    sha256: 'ab'.repeat(32),
    count: 3,
    first: 20,
    ok: 2,
    failed: 1,
    worker: 'host-1',
    ...changes,
  };
}
