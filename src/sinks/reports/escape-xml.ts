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
