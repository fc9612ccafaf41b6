import { createHash } from 'node:crypto';
import type { Sink } from '../../collect/sink.ts';
import type { LineOutput } from '../line-writer.ts';
import { pageHead } from './html/head.ts';
import { html, Markup } from './html/markup.ts';
import { PageData } from './html/page-data.ts';
import { SCRIPT } from './html/script.ts';
import {
  chartSections,
  failureSections,
  redirectSection,
  resultSection,
  slowSection,
} from './html/sections.ts';
import { STYLE } from './html/style.ts';
import { verdictLine } from './verdict-line.ts';

/**
 * `--report html`: one page without any other file. It loads nothing, and its policy lets no style and no script run but
 * its own, by their hashes; without scripts it lacks the filter alone.
 */
export function htmlReport(output: LineOutput): Sink {
  const data = new PageData();
  return {
    write: (result) => data.add(result),
    async end() {
      for (const part of page(data)) await output.write(String(part));
      await output.end();
    },
  };
}

function page(data: PageData): readonly Markup[] {
  const summary = data.fold.summary();
  const groups = data.samples.groups();
  // No part of the template below: bundlers rewrite a tagged template with such an end in it, and call a package for that.
  const script = Markup.own(`<script>${SCRIPT}</script>`);
  return [
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${verdictLine(summary).text} – fanout</title>
<style>${Markup.own(STYLE)}</style>
</head>
<body>
<main>
`,
    pageHead(summary),
    failureSections(summary, groups),
    chartSections(data),
    resultSection(data, groups),
    slowSection(data),
    redirectSection(data),
    html`<footer>Made by fanout from result records.</footer>
</main>
${script}
</body>
</html>
`,
  ];
}

function policy(): string {
  const [style, script] = [STYLE, SCRIPT].map((text) => createHash('sha256').update(text).digest('base64'));
  return `default-src 'none'; style-src 'sha256-${style}'; script-src 'sha256-${script}'; base-uri 'none'; form-action 'none'`;
}
