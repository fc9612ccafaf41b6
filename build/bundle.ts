import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Of a module its path, and the paths of those that it imports. */
type Imports = (path: string) => readonly string[];

/** These modules, and all that are loaded with them. */
function loadedWith(entries: readonly string[], imports: Imports): ReadonlySet<string> {
  const found = new Set(entries.map((entry) => `${ROOT}src/${entry}`));
  for (const path of found) for (const imported of imports(path)) found.add(imported);
  return found;
}

const PARTS = ['main', 'engine', 'fetch'] as const;

/** What every run loads, what `fanout fetch` shares with the library, and what it has beside that. */
function partsOf(imports: Imports): (path: string) => (typeof PARTS)[number] | undefined {
  const always = loadedWith(['cli/main.ts'], imports);
  const library = loadedWith(['index.ts'], imports);
  const fetching = loadedWith(['cli/program.ts', 'cli/commands/fetch.ts'], imports);
  return (path) => {
    if (always.has(path)) return 'main';
    if (fetching.has(path)) return library.has(path) ? 'engine' : 'fetch';
    return undefined;
  };
}

let partOf: ReturnType<typeof partsOf> | undefined;

// Each file costs half a millisecond to load, so the 200 modules of `fanout fetch` are a few of them. The others are cut up
// by what is loaded together. Dependencies stay outside.
await build({
  cwd: ROOT,
  input: {
    'cli/main': 'src/cli/main.ts',
    index: 'src/index.ts',
    'fetch/threads/worker': 'src/fetch/threads/worker.ts',
  },
  external: /^[^./]/,
  platform: 'node',
  output: {
    dir: 'dist',
    chunkFileNames: 'chunks/[name]-[hash].js',
    comments: false,
    codeSplitting: {
      groups: PARTS.map((part, index) => ({
        debugName: part,
        // What is in a part takes along what it imports, but for what is in one before it.
        priority: PARTS.length - index,
        name: (path, context) => {
          partOf ??= partsOf((of) => context.getModuleInfo(of)?.importedIds ?? []);
          return partOf(path) === part ? part : null;
        },
      })),
    },
  },
});
