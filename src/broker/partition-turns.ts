/** Partitions that one worker asks at the same time, at most. */
const MOST_LANES = 32;

/** How many chunks a worker takes at a time: with partitions one of each, up to 32. */
export function laneCount(partitions: number, lanes: number): number {
  return partitions === 1 ? lanes : Math.min(partitions, MOST_LANES);
}

/** The partitions that one of so many lanes asks, in turn and without end: `lane`, `lane + lanes` and so on. */
export function* partitionTurns(partitions: number, lane: number, lanes: number): Generator<number, never> {
  const first = partitions === 1 ? 0 : lane;
  for (;;) for (let at = first; at < partitions; at += lanes) yield at;
}
