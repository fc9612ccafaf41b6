import { codeOf, importsOf, type SourceFile, target } from './source-file.ts';

/** A room is a folder of `src`, or a file that stands there by itself. Which others it may import; itself always. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  queue: [],
  pool: [],
  'version.ts': [],
  'system-clock.ts': ['queue'],
  'file-limit.ts': [],
  'make-directory.ts': ['model'],
  input: ['model'],
  hosts: ['model'],
  bodies: ['model', 'make-directory.ts'],
  config: ['model'],
  http: ['model', 'bodies'],
  collect: ['model'],
  sinks: ['model', 'collect'],
  journal: ['model', 'collect'],
  shards: ['model', 'make-directory.ts'],
  broker: ['model', 'collect', 'shards'],
  metrics: ['model'],
  'engine-options.ts': ['queue'],
  'reading.ts': [],
  'engine.ts': ['engine-options.ts', 'reading.ts', 'queue', 'pool'],
  'worker-pool.ts': ['queue', 'pool'],
  'fetcher.ts': ['http', 'hosts', 'bodies', 'model', 'observation-of.ts'],
  'keeping-fetcher.ts': ['fetcher.ts', 'http', 'bodies', 'model'],
  'observation-of.ts': ['http', 'hosts', 'model'],
};

/** These may import everything but `cli`, and nothing but `cli` and each other may import them. */
const COMPOSERS = [
  'open-bodies.ts',
  'open-network.ts',
  'open-fetching.ts',
  'tasks-of.ts',
  'fetching.ts',
  'local-fetching.ts',
  'threads',
  'run.ts',
  'index.ts',
];

/** Which rooms may import a package. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  commander: ['cli'],
  chalk: ['cli'],
  'cli-progress': ['sinks'],
  undici: ['http'],
  'p-limit': ['http'],
  minizlib: ['bodies'],
  sax: ['input'],
  'prom-client': ['metrics'],
  '@nats-io/transport-node': ['broker'],
  '@nats-io/jetstream': ['broker'],
};

/** The parts of the world that are handed in. */
const WORLD =
  /(?<![.\w#])(process|console)\s*(?=[.[])|\bglobalThis\b|\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)|(?<![.\w#])performance\./;

const MAX_LINES = 200;
const VAGUE = /(^|\/)(utils?|helpers?|types)(\.d)?\.ts$|(^|\/)(utils?|helpers?|types)\//;

/** What the files do that DESIGN or STYLE forbids: each message names the file and the rule. */
export function violations(files: readonly SourceFile[]): string[] {
  return [...files.flatMap(inFile), ...cycles(files)];
}

function inFile(file: SourceFile): string[] {
  const { path, text } = file;
  const room = roomOf(path);
  const messages = importsOf(file).flatMap((specifier) => forbiddenImport(file, specifier) ?? []);
  if (ROOMS[room] === undefined && room !== 'cli' && !COMPOSERS.includes(room)) {
    messages.push(`${path}: "${room}" is no room of the design; add it to the table of rooms`);
  }
  const lines = text.trimEnd().split('\n').length;
  if (lines > MAX_LINES) messages.push(`${path}: has ${lines} lines; a file has at most ${MAX_LINES}`);
  if (VAGUE.test(path))
    messages.push(`${path}: is named after no idea; utils, helpers and types are no names`);
  const world = room === 'cli' ? undefined : WORLD.exec(codeOf(file))?.[0];
  if (world !== undefined && !isExcused(path, world)) {
    messages.push(`${path}: mentions ${world.replace(/\W+$/, '')}; below cli the world is handed in`);
  }
  return messages;
}

/** The clock of the machine, and chance for the library, have one place each; the entry of a thread is a program of its own. */
function isExcused(path: string, world: string): boolean {
  return (
    (path === 'system-clock.ts' && world === 'performance.') ||
    ((path === 'index.ts' || path === 'threads/worker.ts') && world === 'Math.random')
  );
}

function forbiddenImport(file: SourceFile, specifier: string): string | undefined {
  const room = roomOf(file.path);
  if (specifier.startsWith('.')) {
    const other = roomOf(target(file, specifier));
    return mayImport(room, other)
      ? undefined
      : `${file.path}: imports ${specifier}; ${room} may not import ${other}`;
  }
  if (specifier.startsWith('node:')) {
    return /^node:(process|console)$/.test(specifier) && room !== 'cli'
      ? `${file.path}: imports ${specifier}; below cli the world is handed in`
      : undefined;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return PACKAGES[name]?.includes(room)
    ? undefined
    : `${file.path}: imports ${specifier}; ${room} may not import the package ${name}`;
}

function mayImport(room: string, other: string): boolean {
  if (room === other || room === 'cli') return true;
  if (COMPOSERS.includes(room)) return other !== 'cli';
  return ROOMS[room]?.includes(other) === true;
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Circles of imports, each once, found by a walk in depth that remembers the way it came. */
function cycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (file: SourceFile, way: readonly string[]): void => {
    const start = way.indexOf(file.path);
    if (start !== -1) {
      found.push(
        `${file.path}: imports itself by way of ${[...way.slice(start), file.path].join(' → ')}; imports make no circle`,
      );
    }
    if (start !== -1 || done.has(file.path)) return;
    for (const specifier of importsOf(file).filter((one) => one.startsWith('.'))) {
      const next = byPath.get(target(file, specifier));
      if (next !== undefined) walk(next, [...way, file.path]);
    }
    done.add(file.path);
  };
  for (const file of files) walk(file, []);
  return found;
}
