/** What has become of a promise so far. */
export type Watched<T> =
  | { readonly state: 'pending' }
  | { readonly state: 'fulfilled'; readonly value: T }
  | { readonly state: 'rejected'; readonly reason: unknown };

/** Looks at a promise without waiting for it. */
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

/** Lets every reaction of a promise run that can run without an event from outside. */
export function allReactions(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
