import type { Sample } from './sampled-run.ts';

/** One curve of the picture. */
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly value: (sample: Sample) => number;
}

const PANELS: readonly Panel[] = [
  { title: 'resident memory', unit: 'MB', value: ({ rssBytes }) => rssBytes / 1e6 },
  { title: 'open descriptors', unit: '', value: ({ descriptors }) => descriptors },
  { title: 'event-loop lag, p99 of each second', unit: 'ms', value: ({ lagP99Ms }) => lagP99Ms },
];

const WIDTH = 760;
const PANEL_HEIGHT = 150;
const PLOT = { left: 64, right: 16, top: 34, height: 90 };

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #57606a; }
  .title { font-weight: 600; fill: #24292f; }
  .axis { stroke: #d0d7de; }
  .curve { fill: none; stroke: #0969da; stroke-width: 1.5; stroke-linejoin: round; }
  @media (prefers-color-scheme: dark) {
    text { fill: #8b949e; } .title { fill: #e6edf3; } .axis { stroke: #30363d; } .curve { stroke: #58a6ff; }
  }`;

/** The samples of a run as an SVG picture, a panel for each figure, all over the same time. */
export function drawSamples(samples: readonly Sample[]): string {
  const seconds = samples.at(-1)?.seconds ?? 0;
  const height = PANELS.length * PANEL_HEIGHT + 10;
  const panels = PANELS.map((panel, index) => drawPanel(panel, samples, seconds, index * PANEL_HEIGHT));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" role="img">
<title>Memory, descriptors and event-loop lag of a soak of ${Math.round(seconds)} seconds</title>
<style>${STYLE}
</style>
${panels.join('\n')}
</svg>
`;
}

function drawPanel(
  { title, unit, value }: Panel,
  samples: readonly Sample[],
  seconds: number,
  y: number,
): string {
  const top = roundUp(Math.max(1, ...samples.map(value)));
  const base = y + PLOT.top + PLOT.height;
  const width = WIDTH - PLOT.left - PLOT.right;
  const points = samples.map((sample) => {
    const across = PLOT.left + (width * sample.seconds) / Math.max(1, seconds);
    return `${across.toFixed(1)},${(base - (PLOT.height * value(sample)) / top).toFixed(1)}`;
  });
  const label = (text: string, x: number, at: number, anchor: string) =>
    `<text x="${x}" y="${at}" text-anchor="${anchor}">${text}</text>`;
  return [
    `<text class="title" x="${PLOT.left}" y="${y + 20}">${title}</text>`,
    `<path class="axis" d="M${PLOT.left} ${base - PLOT.height}h${width}M${PLOT.left} ${base}h${width}"/>`,
    label(`${top} ${unit}`.trim(), PLOT.left - 8, base - PLOT.height + 4, 'end'),
    label('0', PLOT.left - 8, base + 4, 'end'),
    label('0 s', PLOT.left, base + 16, 'start'),
    label(`${Math.round(seconds)} s`, WIDTH - PLOT.right, base + 16, 'end'),
    `<polyline class="curve" points="${points.join(' ')}"/>`,
  ].join('\n');
}

/** The next number above of the form 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10);
}
