// What `printable()` escapes, apart from the C0 controls, which JSON.stringify has escaped already.
const UNPRINTABLE = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|#(?=#\[)/g;
const NOT_PLAIN = /[^\x20-\x7e]|##\[/;

/**
 * Makes one line of JSON, as JSON.stringify gives it, harmless to a terminal: DEL, C1 controls, line separators
 * and direction marks become `\uXXXX`. They can stand in strings alone, so a parser reads the same values.
 */
export function escapeJson(json: string): string {
  if (!NOT_PLAIN.test(json)) return json;
  return json.replace(UNPRINTABLE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
