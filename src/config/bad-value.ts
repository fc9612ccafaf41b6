/**
 * A value that a parser refuses. The message is the wish alone (`it must be a whole number above 0`):
 * a parser knows neither where the value came from nor whether it may be shown.
 */
export class BadValue extends Error {
  override readonly name = 'BadValue';
}
