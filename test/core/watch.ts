/** The current state of a promise. */
export type Watched<T> =
  | { readonly state: 'pending' }
  | { readonly state: 'fulfilled'; readonly value: T }
  | { readonly state: 'rejected'; readonly reason: unknown };

/** Observes a promise without waiting for it. */
export function watch<T>(promise: T | Promise<T>): () => Watched<T> {
  let seen: Watched<T> = { state: 'pending' };
  Promise.resolve(promise).then(
    (value) => {
      seen = { state: 'fulfilled', value };
    },
    (reason: unknown) => {
      seen = { state: 'rejected', reason };
    },
  );
  return () => seen;
}

/** Runs all promise reactions that can run without an external event. */
export function allReactions(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
