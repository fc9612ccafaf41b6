// C0, DEL and C1 controls, line separators, marks that reorder text on a screen, and `##[`, which starts a command of the
// GitHub Actions runner anywhere in a line (actions/runner, ActionCommand.cs).
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|#(?=#\[)/g;

// Fast path: most text is plain ASCII.
const UNPRINTABLE_OR_WIDE = /[^\x20-\x7e]|##\[/;

/**
 * Makes untrusted text safe for a terminal and for programs that read lines: control characters and direction marks become
 * `\u{..}` escapes. Text longer than `maxLength` UTF-16 code units is cut and ends in an ellipsis.
 */
export function printable(text: string, maxLength = 2000): string {
  if (text.length <= maxLength && !UNPRINTABLE_OR_WIDE.test(text)) return text;
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(UNPRINTABLE, (mark) => `\\u{${mark.charCodeAt(0).toString(16)}}`);
}
