import type { Layer } from './layer.ts';
import type { Resolved, Table } from './option.ts';
import { parseValue } from './parse-value.ts';
import { dropRivals, type Given, refuseRivals } from './rivals.ts';

/** The values of a table, and the place of each one that is no default. */
export interface Settled<T extends Table> {
  readonly values: Resolved<T>;
  readonly places: ReadonlyMap<string, string>;
}

/**
 * Applies layers, the one that wins first, and then the defaults.
 * - Every value is parsed, also one that loses: a mistake in a file is one whether a flag hides it or not.
 * - Options that exclude each other are an error within a layer; between layers the lower one is dropped.
 */
export function resolveOptions<T extends Table>(table: T, layers: readonly Layer[]): Settled<T> {
  const winners = new Map<string, Given>();
  for (const layer of layers) {
    const given = parseLayer(table, layer);
    refuseRivals(given);
    dropRivals(given, winners);
    for (const [key, entry] of given) if (!winners.has(key)) winners.set(key, entry);
  }
  const values = Object.entries(table).map(([key, entry]) => {
    const winner = winners.get(key);
    return [key, winner === undefined ? entry.default : winner.value] as const;
  });
  return {
    // Each key of the table has what its own parser gave, or its own default.
    values: Object.freeze(Object.fromEntries(values)) as Resolved<T>,
    places: new Map([...winners].map(([key, { place }]) => [key, place])),
  };
}

function parseLayer(table: Table, layer: Layer): Map<string, Given> {
  const parsed = new Map<string, Given>();
  for (const key of layer.given.keys()) {
    const entry = table[key];
    if (entry === undefined) throw new TypeError(`The table has no option ${key}`);
    parsed.set(key, { value: parseValue(entry, key, layer), place: layer.place(key) });
  }
  return parsed;
}
