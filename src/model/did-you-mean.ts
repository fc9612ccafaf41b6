import { createRequire } from 'node:module';

/** Longer words are mostly not misspelt names, and slow to compare. */
const MAX_LENGTH = 40;

/**
 * The candidate that `word` is probably a misspelling of: the one with the smallest edit distance, if that is at most a third
 * of the longer word (or 1). Case, dashes and underscores are ignored.
 */
export function didYouMean(
  word: string,
  candidates: readonly string[],
  maxLength = MAX_LENGTH,
): string | undefined {
  const plain = plainText(word);
  if (plain.length > maxLength) return undefined;
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const other = plainText(candidate);
    const allowed = Math.max(1, Math.floor(Math.max(plain.length, other.length) / 3));
    const distance = isReordered(plain, other) ? 1 : editDistance(plain, other);
    // If every letter would have to change, it is not a misspelling.
    if (distance <= allowed && distance < bestDistance && distance < other.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function plainText(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

/** Two letters in the wrong order are one mistake, but two edits. */
function isReordered(one: string, other: string): boolean {
  return one !== other && [...one].sort().join('') === [...other].sort().join('');
}

/** Loads the package on first use, since most runs have no misspelt name. */
function editDistance(from: string, to: string): number {
  const { distance } = createRequire(import.meta.url)(
    'fastest-levenshtein',
  ) as typeof import('fastest-levenshtein'); // require() gives `any`
  return distance(from, to);
}
