import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { licencesOf } from './licences.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Returns the paths that a module imports. */
type Imports = (path: string) => readonly string[];

/** Returns these modules and everything that they load. */
function loadedWith(entries: readonly string[], imports: Imports): ReadonlySet<string> {
  const found = new Set(entries.map((entry) => `${ROOT}src/${entry}`));
  for (const path of found) for (const imported of imports(path)) found.add(imported);
  return found;
}

const PARTS = ['main', 'engine', 'fetch'] as const;

/** Assigns each module to a part: what every run loads, what `fanout fetch` shares with the library, the rest of `fanout fetch`. */
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

/** Dependencies that every run of `fanout fetch` loads; all others stay packages of their own. */
const BUNDLED = /^(?:commander|undici\/|p-limit|yocto-queue)/;

let partOf: ReturnType<typeof partsOf> | undefined;

// Loading a file takes half a millisecond, so the 200 modules of `fanout fetch` become a few files. The others are split
// by what is loaded together.
const { output } = await build({
  cwd: ROOT,
  input: {
    'cli/main': 'src/cli/main.ts',
    index: 'src/index.ts',
    'fetch/threads/worker': 'src/fetch/threads/worker.ts',
  },
  external: (id) => /^[^./]/.test(id) && !BUNDLED.test(id),
  platform: 'node',
  output: {
    dir: 'dist',
    chunkFileNames: 'chunks/[name]-[hash].js',
    comments: false,
    codeSplitting: {
      groups: PARTS.map((part, index) => ({
        debugName: part,
        // A part includes its imports, except those that belong to a part before it.
        priority: PARTS.length - index,
        name: (path, context) => {
          partOf ??= partsOf((of) => context.getModuleInfo(of)?.importedIds ?? []);
          return partOf(path) === part ? part : null;
        },
      })),
    },
  },
});

const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
writeFileSync(`${ROOT}dist/LICENCES`, licencesOf(modules));
