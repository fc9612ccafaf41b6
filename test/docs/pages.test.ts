import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS, toFlags } from '../../src/cli/command-specs.ts';
import { anchorsOf, linksOf } from './links.ts';
import { pages, ROOT } from './pages.ts';

const PAGES = await pages();
const MANIFEST = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
const SCRIPTS: Readonly<Record<string, string>> = MANIFEST.scripts;
/** Files and folders of the package; npm adds the last two by itself. */
const PACKED: readonly string[] = [...MANIFEST.files, 'README.md', 'LICENSE'];
const FLAGS = new Map(
  COMMANDS.map(({ name, options }) => [
    `${name}`,
    new Set(['--help', ...toFlags(options).map(({ long }) => long)]),
  ]),
);

function isPacked(path: string): boolean {
  return PACKED.some((packed) => path === packed || path.startsWith(`${packed}/`));
}

describe.each(PAGES)('$path', (page) => {
  it('links to files and headings that exist', () => {
    const broken = linksOf(page).filter(({ path, anchor }) => {
      if (!existsSync(join(ROOT, path))) return true;
      const target = PAGES.find((one) => one.path === path);
      return anchor !== undefined && target !== undefined && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('links to files that the package has', () => {
    expect(linksOf(page).filter(({ path }) => !isPacked(path))).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const named = [...page.text.matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)].map(
      ([, name = '']) => name,
    );
    expect(named.filter((name) => SCRIPTS[name] === undefined)).toEqual([]);
  });

  it('uses only flags that the commands have', () => {
    const commands = [...page.text.matchAll(/\bfanout ((?:cluster )?[a-z]+)\b([^`|\n]*)/g)];
    const wrong = commands.flatMap(([, name = '', rest = '']) =>
      [...rest.matchAll(/(?<![\w-])--[a-z][\w-]*/g)]
        .filter(([flag]) => FLAGS.get(name)?.has(flag) === false)
        .map(([flag]) => `fanout ${name} ${flag}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  const text = PAGES.find(({ path }) => path === 'docs/architecture.md')?.text ?? '';

  it('names every folder of src', async () => {
    const entries = await readdir(join(ROOT, 'src'), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `\`${name}/\``);
    expect(folders.filter((folder) => !text.includes(folder))).toEqual([]);
  });

  it('gives the reason for each dependency, and names the development dependencies', () => {
    const used = { ...MANIFEST.dependencies, ...MANIFEST.peerDependencies };
    expect(Object.keys(used).filter((name) => !new RegExp(`^\\|.*${name}.*\\|`, 'm').test(text))).toEqual([]);
    const others = Object.keys(MANIFEST.devDependencies).filter((name) => !name.startsWith('@types/'));
    expect(others.filter((name) => !text.includes(name.replace(/^@.*\//, '')))).toEqual([]);
  });
});

describe('docs/security.md', () => {
  const text = PAGES.find(({ path }) => path === 'docs/security.md')?.text ?? '';
  const claims = [...text.matchAll(/`(test\/[\w./-]+\.test\.ts)`: "([^"]+)"/g)];

  it('names tests', () => {
    expect(claims.length).toBeGreaterThan(30);
    expect(text.match(/test\/[\w./-]+\.test\.ts/g)?.length).toBe(claims.length);
  });

  it.each(claims.map(([, file = '', title = '']) => [file, title]))('%s has "%s"', async (file, title) => {
    expect(await readFile(join(ROOT, file), 'utf8')).toContain(title);
  });
});

describe('docs/cluster.md', () => {
  const text = PAGES.find(({ path }) => path === 'docs/cluster.md')?.text ?? '';
  const [, troubles = ''] = text.split('\n## Troubleshooting\n');
  const messages = [...troubles.matchAll(/^\| `([^`]+)` \|/gm)].map(([, message = '']) => message);

  it.each(messages)('%s is a message of the program', async (message) => {
    const folders = ['src/cluster', 'src/cli/commands'].map((folder) => join(ROOT, folder));
    const names = await Promise.all(
      folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
    );
    const files = [join(ROOT, 'src/cli/cluster.ts'), ...names.flat()];
    const sources = (await Promise.all(files.map((name) => readFile(name, 'utf8')))).join('');
    for (const part of message.split('…')) expect(sources).toContain(part.trim());
  });

  it('lists messages', () => {
    expect(messages.length).toBeGreaterThan(8);
  });
});

describe('README.md', () => {
  const readme = PAGES.find(({ path }) => path === 'README.md');

  it('has at most 150 lines', () => {
    expect(readme?.text.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
  });

  it('links to every page', () => {
    const linked = new Set(readme === undefined ? [] : linksOf(readme).map(({ path }) => path));
    const others = PAGES.filter(({ path }) => path !== 'README.md').map(({ path }) => path);
    expect(others.filter((path) => !linked.has(path))).toEqual([]);
  });
});
