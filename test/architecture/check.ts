import { basename } from 'node:path';
import { codeOf, importsOf, type SourceFile, target } from './source-file.ts';

/**
 * The layers of `src`, lowest first: the folders of each, and the packages that each folder may import.
 * A file imports its own folder and folders of lower layers; folders of one layer do not see each other.
 */
const LAYERS: readonly Readonly<Record<string, readonly string[]>>[] = [
  { model: ['fastest-levenshtein', 're2js'] },
  { core: [] },
  { input: ['sax'], config: [], bodies: ['htmlparser2', 'minizlib'], hosts: [], results: [] },
  { documents: ['htmlparser2', 'ignore', 'markdown-it', 'tinyglobby'] },
  { http: ['undici', 'p-limit', 'ipaddr.js', 'tough-cookie'] },
  { fetch: [] },
  { output: ['cli-progress'], journal: [] },
  {
    cluster: [
      ...['@aws-sdk/client-s3', '@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv'],
      ...['prom-client', 'ulid'],
    ],
  },
  { cli: ['commander', 'chalk'], 'index.ts': [] },
];

/** Parts of the world that are handed in below `cli`: the process, the console, the clock and chance. */
const WORLD =
  /(?<![.\w#])(process|console)\s*(?=[.[])|\bglobalThis\b|\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)|(?<![.\w#])performance\./;

/** The clock has one home, and the library has nobody above it to hand chance in. */
const WORLD_ALLOWED: Readonly<Record<string, string>> = {
  'core/clock.ts': 'performance.',
  'index.ts': 'Math.random',
};

const MAX_FILES = 200;
const MAX_LINES = 500;
const MIN_MEDIAN_LINES = 90;
/** A file shorter than this needs two importers, unless none of ours imports it (an entry, a declaration file). */
const SMALL_LINES = 30;
const VAGUE_NAME =
  /(^|\/)(utils?|helpers?|types)(\.d)?\.ts$|(^|\/)(utils?|helpers?|types)\/|(^|\/)open-[^/]*$|-(of|parts)\.ts$/;

/** Violations of the rules in CONTRIBUTING.md; each message names the file and the rule. `tests` may implement interfaces. */
export function violations(files: readonly SourceFile[], tests: readonly SourceFile[] = []): string[] {
  return [
    ...files.flatMap(inFile),
    ...cycles(files),
    ...smallFiles(files),
    ...sameNames(files),
    ...loneInterfaces(files, tests),
  ];
}

/** Violations that concern the size of the tree as a whole. */
export function sizeViolations(files: readonly SourceFile[]): string[] {
  const sizes = files.map(linesOf).sort((a, b) => a - b);
  const median = sizes[sizes.length >> 1] ?? 0;
  return [
    ...(files.length > MAX_FILES ? [`src has ${files.length} files; at most ${MAX_FILES} are allowed`] : []),
    ...(median < MIN_MEDIAN_LINES
      ? [`the median file has ${median} lines; at least ${MIN_MEDIAN_LINES} are wanted`]
      : []),
  ];
}

function inFile(file: SourceFile): string[] {
  const { path } = file;
  const folder = folderOf(path);
  const messages = importsOf(file).flatMap((specifier) => forbiddenImport(file, specifier) ?? []);
  if (layerOf(folder) === -1) {
    messages.push(
      path.includes('/')
        ? `${path}: ${folder} is not in the array of layers`
        : `${path}: only index.ts lies at the root of src`,
    );
  }
  const lines = linesOf(file);
  if (lines > MAX_LINES) messages.push(`${path}: has ${lines} lines; the limit is ${MAX_LINES}`);
  if (VAGUE_NAME.test(path)) messages.push(`${path}: the name does not say what the file is`);
  const world = folder === 'cli' ? undefined : WORLD.exec(codeOf(file))?.[0];
  if (world !== undefined && WORLD_ALLOWED[path] !== world) {
    messages.push(`${path}: uses ${world.replace(/\W+$/, '')}; below cli the world is handed in`);
  }
  return messages;
}

function forbiddenImport(file: SourceFile, specifier: string): string | undefined {
  const folder = folderOf(file.path);
  if (specifier.startsWith('.')) {
    const other = folderOf(target(file, specifier));
    if (folder === other || layerOf(other) < layerOf(folder)) return undefined;
    const relation = layerOf(other) === layerOf(folder) ? 'the same layer' : 'a higher layer';
    return `${file.path}: imports ${specifier}; ${other} is in ${relation}`;
  }
  if (specifier.startsWith('node:')) {
    return /^node:(process|console)$/.test(specifier) && folder !== 'cli'
      ? `${file.path}: imports ${specifier}; below cli the world is handed in`
      : undefined;
  }
  const parts = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1);
  const name = parts.join('/');
  const allowed = LAYERS[layerOf(folder)]?.[folder];
  return allowed?.includes(name) === true
    ? undefined
    : `${file.path}: imports ${specifier}; ${folder} may not import the package ${name}`;
}

function folderOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Index in `LAYERS`; -1 for an unknown folder. */
function layerOf(folder: string): number {
  return LAYERS.findIndex((layer) => Object.hasOwn(layer, folder));
}

function linesOf({ text }: SourceFile): number {
  return text.trimEnd().split('\n').length;
}

/** Circles of imports, each reported once, found by a depth-first search. */
function cycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: SourceFile, trail: readonly string[]): void => {
    const start = trail.indexOf(file.path);
    if (start !== -1) {
      found.push(`${file.path}: circular import: ${[...trail.slice(start), file.path].join(' → ')}`);
    }
    if (start !== -1 || done.has(file.path)) return;
    for (const specifier of importsOf(file).filter((one) => one.startsWith('.'))) {
      const next = byPath.get(target(file, specifier));
      if (next !== undefined) visit(next, [...trail, file.path]);
    }
    done.add(file.path);
  };
  for (const file of files) visit(file, []);
  return found;
}

function smallFiles(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => linesOf(file) < SMALL_LINES)
    .flatMap((file) => {
      const importers = files.filter((other) =>
        importsOf(other).some((one) => one.startsWith('.') && target(other, one) === file.path),
      );
      return importers.length === 1
        ? [`${file.path}: has ${linesOf(file)} lines and one importer, ${importers[0]?.path}; merge them`]
        : [];
    });
}

/** Commands are named as the user types them, whatever else has that name. */
function sameNames(files: readonly SourceFile[]): string[] {
  const paths = files.map(({ path }) => path).filter((path) => !path.startsWith('cli/commands/'));
  return paths.flatMap((path, at) => {
    const first = paths.findIndex((other) => basename(other) === basename(path));
    return first < at ? [`${path}: has the name of ${paths[first]}`] : [];
  });
}

/**
 * Interfaces that another folder imports, that one class in `src` implements, and that no test implements either.
 * Shapes of data and of options, which no class implements, are not meant.
 */
function loneInterfaces(files: readonly SourceFile[], tests: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    [...codeOf(file).matchAll(/^export interface (\w+)/gm)].flatMap(([, name = '']) => {
      const isImported = files.some(
        (other) => folderOf(other.path) !== folderOf(file.path) && importsName(other, file, name),
      );
      if (!isImported || implementations(files, name) !== 1) return [];
      return tests.some((test) => fakes(test, name))
        ? []
        : [`${file.path}: interface ${name} has one implementation; use the class`];
    }),
  );
}

function importsName(file: SourceFile, from: SourceFile, name: string): boolean {
  return [...file.text.matchAll(/\{([^{}]*)\}\s*from\s+'([^']+)'/g)].some(
    ([, names = '', specifier = '']) =>
      specifier.startsWith('.') &&
      target(file, specifier) === from.path &&
      new RegExp(`\\b${name}\\b`).test(names),
  );
}

function implementations(files: readonly SourceFile[], name: string): number {
  const pattern = new RegExp(`\\bimplements [^{]*\\b${name}\\b`, 'g');
  return files.reduce((sum, file) => sum + (codeOf(file).match(pattern)?.length ?? 0), 0);
}

/** Whether a test makes one: a class, a value or a function whose type it is. */
function fakes(file: SourceFile, name: string): boolean {
  return new RegExp(`\\bimplements [^{]*\\b${name}\\b|: ${name}\\b[^;{]*(=|\\{)|satisfies ${name}\\b`).test(
    codeOf(file),
  );
}
