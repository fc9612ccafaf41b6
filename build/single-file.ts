import { appendFileSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'rolldown';
import { licencesOf } from './licences.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));

/** The optional packages: they are loaded where they are installed, beside the file. */
const EXTERNAL = /^(?:node:|@nats-io\/|@aws-sdk\/|prom-client)/;

const ENTRY = 'virtual:fanout';

/** The file is the program, and in a thread what the thread runs. */
const entry: Plugin = {
  name: 'entry',
  resolveId: (id) => (id === ENTRY ? id : null),
  load: (id) =>
    id === ENTRY
      ? `import { isMainThread } from 'node:worker_threads';
         if (isMainThread) {
           const { main } = await import('${ROOT}src/cli/main.ts');
           process.exitCode = await main(process);
         } else await import('${ROOT}src/fetch/threads/worker.ts');`
      : null,
};

/** Replaces what a module says of other files. Throws if it does not say it any more. */
function replaceIn(file: string, from: string | RegExp, to: string): Plugin {
  return {
    name: `replace in ${file}`,
    transform(code, id) {
      if (id !== `${ROOT}src/${file}`) return null;
      const replaced = code.replace(from, to);
      if (replaced === code) throw new Error(`${file} has no ${from}`);
      return replaced;
    },
  };
}

/** Packages that are loaded with `require` on use become a part of the file, too. */
const requires: Plugin = {
  name: 'require',
  transform: (code, id) =>
    id.startsWith(`${ROOT}src/`) ? code.replace(/createRequire\(import\.meta\.url\)\(/g, 'require(') : null,
};

const [, , target = 'fanout.mjs'] = process.argv;
const file = resolve(target);

const { output } = await build({
  cwd: ROOT,
  input: ENTRY,
  external: EXTERNAL,
  platform: 'node',
  plugins: [
    entry,
    requires,
    replaceIn(
      'cli/fetch-settings.ts',
      /new URL\('[^']*worker\.js', import\.meta\.url\)/,
      'new URL(import.meta.url)',
    ),
    replaceIn('model/version.ts', /readFileSync\(.*\)/, `'${JSON.stringify({ version })}'`),
  ],
  output: { file, comments: false, codeSplitting: false, banner: '#!/usr/bin/env node' },
});

const licences = licencesOf(output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : [])));
const own = readFileSync(`${ROOT}LICENSE`, 'utf8').trim();
const text = `fanout ${version}\n\n${own}\n\nIt includes these packages:\n\n${licences}`;
appendFileSync(file, `\n/*\n${text.replaceAll('*/', '* /')}*/\n`);
