import { printable } from '../../model/printable.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text from outside as text or attribute of an XML or HTML document. Control characters and direction marks are made
 * visible, and what else XML 1.0 forbids (halves of characters, U+FFFE, U+FFFF) becomes U+FFFD. Cut at `maxLength`.
 */
export function escapeXml(text: string, maxLength = 2000): string {
  return printable(text, maxLength)
    .replace(/[\p{Cs}\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '');
}

/** Text that is HTML already. Only `html` makes it, so whatever came from outside has been escaped. */
export class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  /** For text of the program itself, such as its style sheet. */
  static own(text: string): Markup {
    return new Markup(text);
  }
}

type Content = string | number | Markup | readonly Markup[];

/** A template whose values are escaped, unless they are markup themselves. Attributes have to stand in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return Markup.own(
    strings
      .map((text, index) => text + (index < values.length ? markupOf(values[index] ?? '') : ''))
      .join(''),
  );
}

function markupOf(value: Content): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? escapeXml(value) : Array.isArray(value) ? value.join('') : String(value);
}
