// C0, DEL and C1 controls, line separators, the marks that reorder text on a screen, and `##[`, which starts a command
// anywhere in a line that the runner of GitHub Actions reads (actions/runner, ActionCommand.cs).
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|#(?=#\[)/g;

// Most text is plain ASCII, and then there is nothing to do.
const UNPRINTABLE_OR_WIDE = /[^\x20-\x7e]|##\[/;

/**
 * Makes text from outside harmless to a terminal and to anything that reads lines: control characters and
 * direction marks become `\u{..}` escapes, and what is longer than `maxLength` characters is cut with an ellipsis.
 */
export function printable(text: string, maxLength = 2000): string {
  if (text.length <= maxLength && !UNPRINTABLE_OR_WIDE.test(text)) return text;
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(UNPRINTABLE, (mark) => `\\u{${mark.charCodeAt(0).toString(16)}}`);
}
