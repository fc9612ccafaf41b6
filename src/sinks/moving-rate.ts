const WINDOW_MS = 10_000;
const SPACING_MS = 100;

/** How fast a count grew over the last ten seconds, from at most a hundred samples. */
export class MovingRate {
  readonly #samples: { readonly atMs: number; readonly count: number }[] = [];

  /** Notes the count at a time in ms and returns its growth a second, 0 while there is nothing to compare with. */
  update(atMs: number, count: number): number {
    const last = this.#samples.at(-1);
    if (last === undefined || atMs - last.atMs >= SPACING_MS) this.#samples.push({ atMs, count });
    while (this.#samples.length > 2 && atMs - (this.#samples[1]?.atMs ?? atMs) >= WINDOW_MS) {
      this.#samples.shift();
    }
    const first = this.#samples[0];
    if (first === undefined || atMs <= first.atMs) return 0;
    return ((count - first.count) * 1000) / (atMs - first.atMs);
  }
}
