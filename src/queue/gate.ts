/** Says when a lane may give a job. Asked each time before a job is taken, so what it says may change at any time. */
export interface Gate {
  /**
   * Time from which any lane may give its next job; at or before `now` means at once, Infinity not before one of the
   * jobs under way over all lanes, `inFlight` in number, is done.
   */
  openAt(now: number, inFlight: number): number;
  /** The same for one lane; Infinity means not before one of its jobs is done. */
  laneOpenAt(key: string, inFlight: number, now: number): number;
  /** A job of the lane was taken. */
  taken(key: string, now: number): void;
}

/** The gate that lets everything through. */
export const OPEN_GATE: Gate = { openAt: () => 0, laneOpenAt: () => 0, taken: () => {} };
