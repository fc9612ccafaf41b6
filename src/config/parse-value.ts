import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { BadValue } from './bad-value.ts';
import type { Layer } from './layer.ts';
import type { Option } from './option.ts';
import type { Parser } from './parser.ts';

/** Parses one value of a layer. A refused one becomes a `UsageError` that tells the value, its place and the wish. */
export function parseValue(entry: Option<unknown, unknown>, key: string, layer: Layer): unknown {
  const value = layer.given.get(key);
  try {
    return entry.parser.parse(layer.expand(entry, value));
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    // The value as it was written, without the environment variables that it names.
    throw new UsageError(
      `Cannot use ${shown(entry.parser, value)} for ${layer.place(key)}: ${printable(error.message)}`,
    );
  }
}

function shown(parser: Parser<unknown>, value: unknown): string {
  if (parser.show !== undefined) return parser.show(value);
  if (typeof value === 'string') return `"${printable(value, 200)}"`;
  // What was given by a flag that may be repeated.
  const [only, ...others] = Array.isArray(value) ? value : [];
  if (typeof only === 'string' && others.length === 0) return shown(parser, only);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  return Array.isArray(value) ? 'a list' : 'an object';
}
