const PATTERN = 'fanout 0123456789 abcdefghijklmnopqrstuvwxyz\n';
const BLOCK = Buffer.alloc(PATTERN.length * 1456, PATTERN); // about 64 KB, a whole number of patterns

/** The body that `/bytes/N` and its kin send: `length` bytes of one repeated pattern. */
export function filler(length: number): Buffer {
  return Buffer.alloc(length, PATTERN);
}

/** The same bytes in blocks of at most 64 KB, so that a large body never stands in memory. */
export function* fillerBlocks(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= BLOCK.length) {
    yield left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
  }
}
