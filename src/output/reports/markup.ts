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

/** The style sheet of the page, with a dark colour scheme and a layout for narrow screens. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #f6f8fa; --card: #ffffff; --line: #d8dee4; --text: #1f2328; --soft: #59636e; --link: #0758b8;
  --ok: #2c974b; --ok-text: #176f31; --warn: #d4a72c; --warn-text: #7d5600; --fail: #cf222e; --fail-text: #b0171f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1117; --card: #151b23; --line: #30363d; --text: #e6edf3; --soft: #9198a1; --link: #6cb0ff;
    --ok: #2f8f46; --ok-text: #57c46f; --warn: #bb8009; --warn-text: #e0ab3a; --fail: #e5534b; --fail-text: #ff8078;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1240px; margin: 0 auto; padding: 20px; display: grid; gap: 16px; }
header, section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px; min-width: 0; }
header { border-left: 6px solid var(--soft); }
header.good { border-left-color: var(--ok); }
header.bad { border-left-color: var(--fail); }
h1 { margin: 0; font-size: 24px; line-height: 1.3; }
h2 { margin: 0 0 10px; font-size: 16px; }
p { margin: 4px 0 0; color: var(--soft); }
dl { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 14px 0 0; }
dt { font-size: 12px; color: var(--soft); }
dd { margin: 0; font-size: 20px; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
dd small { font-size: 13px; font-weight: 400; color: var(--soft); }
.two { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.ok { color: var(--ok-text); } .warn { color: var(--warn-text); } .fail { color: var(--fail-text); }
svg { display: block; width: 100%; }
svg .ok { fill: var(--ok); } svg .warn { fill: var(--warn); } svg .fail { fill: var(--fail); }
svg.columns { height: 130px; border-bottom: 1px solid var(--line); }
svg.share { height: 10px; min-width: 60px; }
svg.share rect { fill: var(--fail); } .excused svg.share rect { fill: var(--warn); }
figure { margin: 0; display: flex; flex-direction: column; }
.most { order: -1; margin: 0 0 6px; font-size: 12px; }
.axis { display: flex; justify-content: space-between; padding-top: 4px; font-size: 12px; color: var(--soft); }
.axis.each span { flex: 1 1 0; min-width: 0; white-space: nowrap; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 4px 0 10px; }
.key.ok { background: var(--ok); } .key.warn { background: var(--warn); } .key.fail { background: var(--fail); }
h2 small { font-size: 12px; font-weight: 400; color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 5px 10px 5px 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: 12px; font-weight: 400; color: var(--soft); }
tbody:first-child tr:first-child > * { border-top: 0; }
th[scope=row] { font-weight: 400; max-width: 260px; overflow-wrap: anywhere; }
.number { text-align: right; padding-right: 0; width: 1%; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bar { width: 50%; vertical-align: middle; }
.verdict { font-weight: 600; width: 1%; }
.outcome, .time { width: 1%; white-space: nowrap; font-variant-numeric: tabular-nums; }
.time, .place { color: var(--soft); }
.url, .why, .place { overflow-wrap: anywhere; }
.url { width: 42%; }
.place { width: 16%; min-width: 120px; }
.target { color: var(--soft); }
.note { border: 1px solid currentColor; border-radius: 9px; padding: 0 7px; font-size: 12px; white-space: nowrap; color: var(--warn-text); }
.note.ok { color: var(--ok-text); }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
.filter { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin-bottom: 10px; }
[hidden] { display: none; }
.filter input {
  flex: 0 1 360px; min-width: 0; padding: 6px 10px; font: inherit; color: inherit;
  background: var(--back); border: 1px solid var(--line); border-radius: 6px;
}
.filter output { color: var(--soft); font-size: 13px; }
footer { color: var(--soft); font-size: 13px; padding: 0 4px; }
@media (max-width: 720px) {
  main { padding: 10px; gap: 10px; }
  header, section { padding: 12px 14px; }
  dl { gap: 8px 22px; }
  .axis.each span:nth-child(even) { visibility: hidden; }
  table.rows, .rows tbody, .rows tr, .rows td { display: block; width: auto; max-width: none; }
  .rows thead { display: none; }
  .rows tr { padding: 8px 0; border-top: 1px solid var(--line); }
  .rows tr[hidden] { display: none; }
  .rows td { padding: 0; border: 0; }
  .rows td:empty { display: none; }
  .rows td.verdict, .rows td.outcome, .rows td.time, .rows td.place { display: inline-block; padding-right: 10px; }
  .bar { width: 32%; }
  th[scope=row] { max-width: none; }
}
@media print { .filter { display: none; } body { background: none; } header, section { break-inside: auto; } }
`;

/** The script of the page, which filters the table of results. It uses only old features, so that it runs in any browser. */
export const SCRIPT = `
(function () {
  'use strict';
  var bar = document.getElementById('filter');
  var box = document.getElementById('words');
  var rowCount = document.getElementById('row-count');
  var rows = Array.prototype.slice.call(document.querySelectorAll('#results tbody tr'));
  if (!bar || !box || !rowCount || rows.length === 0) return;
  var texts = rows.map(function (row) {
    return Array.prototype.map.call(row.cells, function (cell) { return cell.textContent; }).join(' ').toLowerCase();
  });
  function apply() {
    var words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    var shown = 0;
    rows.forEach(function (row, index) {
      var fits = words.every(function (word) { return texts[index].indexOf(word) !== -1; });
      row.hidden = !fits;
      if (fits) shown += 1;
    });
    rowCount.textContent = shown + ' of ' + rows.length + ' rows';
  }
  box.addEventListener('input', apply);
  bar.hidden = false;
  apply();
})();
`;
