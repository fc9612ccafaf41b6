import { editDistance } from '../model/edit-distance.ts';

/**
 * The candidate that was probably meant: the one with the fewest letters changed, if these are a third of the word
 * at most. Case, dashes and underscores do not count.
 */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const plain = plainOf(word);
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const other = plainOf(candidate);
    const allowed = Math.max(1, Math.floor(Math.max(plain.length, other.length) / 3));
    if (Math.abs(plain.length - other.length) > allowed) continue;
    const distance = editDistance(plain, other);
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function plainOf(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}
