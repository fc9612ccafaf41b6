/** Counts the turns of the event loop from now on. The returned function ends that, and gives their number. */
export function countTurns(): () => number {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  return () => {
    isOver = true;
    return turns;
  };
}
