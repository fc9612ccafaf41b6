import { safePart } from '../model/file-name.ts';

/** Text for a name. */
export interface NameText {
  readonly text: string;
  /** Whether no other text gives the same, also where the case of letters and forms of Unicode are the same. */
  readonly isExact: boolean;
}

// Windows calls long names like this, too, by themselves: `longna~1.txt`.
const SHORT_NAME = /~\d/;

// Printable ASCII without capital letters: what is outside may be the same as something else somewhere.
const ONE_CASE = /^[ -@[-~]*$/;

const SIMPLE = /^[0-9a-z_-]{6,}(?:\.[0-9a-z]{1,3})?$/;

/** What came of making `raw` safe, `text`, and whether that lost nothing. */
export function nameText(raw: string, text: string): NameText {
  const isExact = text === raw && ONE_CASE.test(text) && !SHORT_NAME.test(text);
  return { text, isExact };
}

/** A piece of a URL as text for a name, with its percent-encoding undone. */
export function decodedText(encoded: string): NameText {
  // Most pieces: too long for the name of a device.
  if (SIMPLE.test(encoded)) return { text: encoded, isExact: true };
  if (!encoded.includes('%')) return nameText(encoded, safePart(encoded));
  // A serialised URL has no space, so nothing is lost by showing those that it encodes. Everything else could be there as it is.
  return nameText(encoded.replaceAll('%20', ' '), safePart(percentDecoded(encoded)));
}

function percentDecoded(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // not UTF-8
  }
}
