import { type Lane, LaneList } from './lane.ts';

/** The lanes whose turn may come: those with the fewest jobs under way first, and of those the one added first. */
export class Rota<J> {
  /** By the number of jobs under way. */
  readonly #lists: LaneList<J>[] = [];
  /** No list before this one holds a lane; kept so that a host with a thousand jobs under way costs no thousand looks. */
  #lowest = 0;

  /** The lane whose turn it is. */
  get first(): Lane<J> | undefined {
    for (; this.#lowest < this.#lists.length; this.#lowest += 1) {
      const lane = this.#lists[this.#lowest]?.first;
      if (lane !== undefined) return lane;
    }
    return undefined;
  }

  /** Adds a lane that is in no list. */
  add(lane: Lane<J>): void {
    while (this.#lists.length <= lane.inFlight) this.#lists.push(new LaneList());
    this.#lists[lane.inFlight]?.append(lane);
    if (lane.inFlight < this.#lowest) this.#lowest = lane.inFlight;
  }

  remove(lane: Lane<J>): void {
    lane.list?.remove(lane);
  }
}
