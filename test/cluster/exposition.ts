const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"`;
const SAMPLE = new RegExp(`^(${NAME})(?:\\{((?:${LABEL})(?:,(?:${LABEL}))*)\\})? (\\S+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const HELP = new RegExp(`^# HELP (${NAME}) \\S.*$`);

/** What the name of a sample may add to that of its family. */
const SUFFIXES = { counter: ['_total'], gauge: [''], histogram: ['_bucket', '_sum', '_count'] };

/**
 * The samples of a page of OpenMetrics text, by name and labels as they are written. Throws at the first line that is not
 * as the format wants it: help and type before the samples of a family, each family and each series once, `# EOF` at the end.
 */
export function exposition(page: string): ReadonlyMap<string, number> {
  if (!page.endsWith('\n# EOF\n')) throw new Error('It does not end in "# EOF"');
  const samples = new Map<string, number>();
  const families = new Set<string>();
  let helped = '';
  let family = { name: '', type: 'gauge' as keyof typeof SUFFIXES };
  for (const line of page.split('\n').slice(0, -2)) {
    const [, type, kind] = TYPE.exec(line) ?? [];
    if (HELP.test(line)) helped = HELP.exec(line)?.[1] ?? '';
    else if (type !== undefined) {
      if (type !== helped || families.has(type)) throw new Error(`Twice, or without help: ${line}`);
      families.add(type);
      family = { name: type, type: kind as keyof typeof SUFFIXES }; // one of those of the pattern
    } else {
      const [, name = '', labels = '', text = ''] = SAMPLE.exec(line) ?? [];
      if (!SUFFIXES[family.type].some((suffix) => name === family.name + suffix)) {
        throw new Error(`No sample of the ${family.type} ${family.name}: ${line}`);
      }
      const series = labels === '' ? name : `${name}{${labels}}`;
      if (samples.has(series)) throw new Error(`Twice: ${line}`);
      samples.set(series, numberOf(text, family.type));
    }
  }
  return samples;
}

function numberOf(text: string, type: string): number {
  if (/^nan$/i.test(text) && type === 'gauge') return Number.NaN;
  const value = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text);
  if (Number.isNaN(value) || (type !== 'gauge' && value < 0)) throw new Error(`No value: ${text}`);
  return value;
}
