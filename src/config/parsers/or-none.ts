import type { Parser } from '../parser.ts';

/** Also takes the word `none`, which gives `nothing`: so a flag can lift a limit that the configuration file sets. */
export function orNone<T, Nothing extends number | undefined>(
  parser: Parser<T>,
  nothing: Nothing,
): Parser<T | Nothing> {
  return {
    parse: (value) => (value === 'none' || value === nothing ? nothing : parser.parse(value)),
    // `nothing` lies outside of what `parser` gives, so what is not `nothing` is a T.
    print: (value) => (value === nothing ? 'none' : parser.print(value as T)),
  };
}
