import type { Run } from './screen.ts';

/** The content of a screen at one moment. */
export type Frame = readonly (readonly Run[])[];

const CHARACTER = { width: 8.4, height: 18 };
const MARGIN = 16;
const FRAME_S = 0.7;
const LAST_FRAME_S = 6;
const COLOURS = { red: '#f85149', green: '#3fb950', yellow: '#d29922' };

/** Returns an SVG that shows the frames in a loop, the last one longer. */
export function movingPicture(frames: readonly Frame[], columns: number, rows: number): string {
  const width = Math.ceil(columns * CHARACTER.width + 2 * MARGIN);
  const height = rows * CHARACTER.height + 2 * MARGIN;
  const total = (frames.length - 1) * FRAME_S + LAST_FRAME_S;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="fanout at work in a terminal">
<style>
text { font: 14px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c9d1d9; white-space: pre }
g { opacity: 0; animation: ${total.toFixed(1)}s step-end infinite }
g:last-of-type { opacity: 1 }
${frames.map((_, index) => `#f${index} { animation-name: s${index} }\n${keyframes(index, frames.length, total)}`).join('\n')}
@media (prefers-reduced-motion) { g { animation: none } }
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${frames.map((frame, index) => `<g id="f${index}">\n${frame.map(line).join('')}</g>`).join('\n')}
</svg>
`;
}

function keyframes(index: number, count: number, total: number): string {
  const from = ((index * FRAME_S) / total) * 100;
  const to = index === count - 1 ? 100 : (((index + 1) * FRAME_S) / total) * 100;
  const steps = [index === 0 ? '' : '0% { opacity: 0 } ', `${from.toFixed(2)}% { opacity: 1 } `];
  return `@keyframes s${index} { ${steps.join('')}${to.toFixed(2)}% { opacity: ${index === count - 1 ? 1 : 0} } }`;
}

function line(runs: readonly Run[], row: number): string {
  const y = MARGIN + (row + 0.75) * CHARACTER.height;
  return runs.map((run) => text(run, y)).join('');
}

function text({ column, text, colour, isBold, isDim }: Run, y: number): string {
  const fill = colour === undefined ? (isDim ? '#8b949e' : undefined) : COLOURS[colour];
  const indent = text.length - text.trimStart().length;
  const x = MARGIN + (column + indent) * CHARACTER.width;
  const style = `${fill === undefined ? '' : ` style="fill: ${fill}"`}${isBold ? ' font-weight="bold"' : ''}`;
  const length = (text.trim().length * CHARACTER.width).toFixed(1);
  return `<text x="${x.toFixed(1)}" y="${y}" textLength="${length}"${style}>${escaped(text.trim())}</text>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
