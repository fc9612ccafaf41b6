import { Deque } from './deque.ts';

/** The jobs of one key in their order, and how many of them are under way. A node of a `LaneList`. */
export class Lane<J> {
  readonly key: string;
  readonly jobs = new Deque<J>();
  inFlight = 0;
  /** Earliest time at which the gate is asked again, when it said no; Infinity when no time is known. */
  wakeAt = Number.POSITIVE_INFINITY;
  list: LaneList<J> | undefined;
  before: Lane<J> | undefined;
  after: Lane<J> | undefined;

  constructor(key: string) {
    this.key = key;
  }
}

/** A doubly linked list of lanes, so that a lane moves between lists in O(1). A lane is in one list at most. */
export class LaneList<J> {
  #first: Lane<J> | undefined;
  #last: Lane<J> | undefined;

  get first(): Lane<J> | undefined {
    return this.#first;
  }

  append(lane: Lane<J>): void {
    lane.list = this;
    lane.before = this.#last;
    if (this.#last === undefined) this.#first = lane;
    else this.#last.after = lane;
    this.#last = lane;
  }

  remove(lane: Lane<J>): void {
    if (lane.before === undefined) this.#first = lane.after;
    else lane.before.after = lane.after;
    if (lane.after === undefined) this.#last = lane.before;
    else lane.after.before = lane.before;
    lane.list = lane.before = lane.after = undefined;
  }
}
