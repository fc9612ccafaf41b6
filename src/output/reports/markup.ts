import { printable } from '../../model/printable.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Escapes untrusted text for the content or a quoted attribute of an XML or HTML document, and truncates it. Control
 * characters and direction marks become visible escapes; other characters that XML 1.0 forbids become U+FFFD.
 */
export function escapeXml(text: string, maxLength = 2000): string {
  return printable(text, maxLength)
    .replace(/[\p{Cs}\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '');
}

type Content = string | number | Markup | readonly Markup[];

/** A template tag that escapes all values but `Markup`. Attribute values must be in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return Markup.trusted(
    strings
      .map((text, index) => text + (index < values.length ? toMarkup(values[index] ?? '') : ''))
      .join(''),
  );
}

function toMarkup(value: Content): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? escapeXml(value) : Array.isArray(value) ? value.join('') : String(value);
}

/** Text that is HTML already, made by `html` or by `trusted`. */
export class Markup {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** For constant text of the program, such as the style sheet. */
  static trusted(text: string): Markup {
    return new Markup(text);
  }

  toString(): string {
    return this.#text;
  }
}
