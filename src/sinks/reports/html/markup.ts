import { escapeXml } from '../escape-xml.ts';

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

export type Content = string | number | Markup | readonly Markup[];

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
