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

// Levenshtein's distance, one row of its table at a time.
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
