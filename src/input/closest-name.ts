import { editDistance } from '../model/edit-distance.ts';

const MAX_EDITS = 2;
const MAX_LENGTH = 20;

/** The name that `word` was most likely meant to be: the fewest edits away, two at most, case aside. */
export function closestName(word: string, names: readonly string[]): string | undefined {
  if (word.length > MAX_LENGTH) return undefined;
  let best: string | undefined;
  let fewest = MAX_EDITS + 1;
  for (const name of names) {
    const edits = editDistance(word.toLowerCase(), name.toLowerCase());
    // A word of which nothing is left is no typing error.
    if (edits < fewest && edits < name.length) {
      best = name;
      fewest = edits;
    }
  }
  return best;
}
