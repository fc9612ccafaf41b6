import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Ignore } from 'ignore';
import { checkInputs, classifyInput, type Input, quotedInputName } from '../input/input.ts';
import { errorCode, InputError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { isProse } from './document.ts';

/** The characters of a pattern of file names. */
const GLOB = /[*?[\]{}]/;

/**
 * The names of the inputs that arguments name: a file, `-` or a URL each; the documents in a directory, at any depth; or the files that
 * match a pattern. Files in directories and of patterns are sorted, and those that .gitignore excludes are left out, as are
 * hidden ones. Throws an `InputError` for a pattern without a file.
 *
 * @param directory the working directory
 */
export async function findDocuments(args: readonly string[], directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const argument of args) {
    const input = classifyInput(argument);
    const status =
      input.kind === 'file' ? await stat(resolve(directory, input.path)).catch(() => undefined) : undefined;
    if (status?.isDirectory()) found.push(...(await walk(argument, directory)));
    else if (input.kind === 'file' && status === undefined && GLOB.test(argument)) {
      found.push(...(await filesOfPattern(argument, directory)));
    } else found.push(argument);
  }
  return found;
}

/** The inputs that names of documents stand for. Throws an `InputError` if one of them cannot be read. */
export async function resolveDocuments(
  names: readonly string[],
  directory: string,
): Promise<readonly Input[]> {
  const inputs = (await findDocuments(names, directory)).map(classifyInput);
  await checkInputs(inputs);
  return inputs;
}

/** Throws an `InputError` if there is no such directory. `label` names the option. */
export async function checkRootDirectory(rootDir: string, label: string): Promise<void> {
  const status = await stat(rootDir).catch(() => undefined);
  if (!status?.isDirectory()) {
    throw new InputError(`invalid value "${excerpt(rootDir)}" for ${label}: no such directory`);
  }
}

async function filesOfPattern(pattern: string, directory: string): Promise<readonly string[]> {
  const { glob } = await import('tinyglobby');
  const rules = new IgnoreRules(directory);
  const paths = await glob(pattern, {
    cwd: directory,
    expandDirectories: false,
    followSymbolicLinks: false,
    ignore: ['**/node_modules/**'],
  });
  const kept: string[] = [];
  for (const path of paths.sort()) if (!(await rules.excludes(resolve(directory, path)))) kept.push(path);
  if (kept.length === 0) throw new InputError(`no file matches ${quotedInputName(pattern)}`);
  return kept;
}

/** The documents in a directory. Symbolic links are not followed, since they may form a circle. */
async function walk(top: string, directory: string): Promise<readonly string[]> {
  const rules = new IgnoreRules(resolve(directory, top));
  const found: string[] = [];
  const directories = [top];
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    const entries = await readdir(resolve(directory, next), { withFileTypes: true });
    for (const entry of entries) {
      const path = join(next, entry.name);
      const isFile = entry.isFile() && !entry.name.startsWith('.') && isProse(entry.name);
      if (!isFile && !(entry.isDirectory() && mayHaveDocuments(entry.name))) continue;
      if (await rules.excludes(resolve(directory, path), entry.isDirectory())) continue;
      (isFile ? found : directories).push(path);
    }
  }
  return found.sort();
}

function mayHaveDocuments(name: string): boolean {
  return name === '.github' || !(name.startsWith('.') || name === 'node_modules');
}

/** The rules of the .gitignore files of a repository, or of a directory that is in none. */
class IgnoreRules {
  readonly #start: string;
  #root: Promise<string> | undefined;
  readonly #rules = new Map<string, Promise<Ignore | undefined>>();
  readonly #directories = new Map<string, Promise<boolean>>();

  /** @param start the absolute path of the directory that is searched */
  constructor(start: string) {
    this.#start = start;
  }

  /** Whether a rule excludes a file, or a directory above it. */
  async excludes(path: string, isDirectory = false): Promise<boolean> {
    this.#root ??= repositoryOf(this.#start);
    const root = await this.#root;
    const parent = dirname(path);
    if (path === root || !path.startsWith(root)) return false;
    if (parent !== root && (await this.#excludesDirectory(parent))) return true;
    let isExcluded = false;
    for (const base of ancestors(parent, root)) {
      const rules = await this.#rulesOf(base);
      const name = relative(base, path).split(sep).join('/');
      const { ignored, unignored } = rules?.test(isDirectory ? `${name}/` : name) ?? {};
      isExcluded = ignored === true || (isExcluded && unignored !== true);
    }
    return isExcluded;
  }

  #excludesDirectory(path: string): Promise<boolean> {
    const known = this.#directories.get(path) ?? this.excludes(path, true);
    this.#directories.set(path, known);
    return known;
  }

  #rulesOf(directory: string): Promise<Ignore | undefined> {
    const known = this.#rules.get(directory) ?? readRules(join(directory, '.gitignore'));
    this.#rules.set(directory, known);
    return known;
  }
}

async function readRules(path: string): Promise<Ignore | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { default: ignore } = await import('ignore');
  return ignore().add(text);
}

/** The directory of the repository that a directory is in, or the directory itself. */
async function repositoryOf(directory: string): Promise<string> {
  for (let next = directory; ; next = dirname(next)) {
    if ((await missingCode(join(next, '.git'))) === undefined) return next;
    if (next === dirname(next)) return directory;
  }
}

/** The directories from the root down to this one. */
function ancestors(directory: string, root: string): readonly string[] {
  const found = [directory];
  for (let next = directory; next !== root && next !== dirname(next); ) {
    next = dirname(next);
    found.unshift(next);
  }
  return found;
}

const MISSING: ReadonlySet<unknown> = new Set(['ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE']);

/** The code of the error that a path has: `ENOENT` if there is no such file, and `undefined` if there is one. */
export async function missingCode(path: string): Promise<string | undefined> {
  try {
    await stat(path);
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    return code === undefined || MISSING.has(code) ? 'ENOENT' : code;
  }
}
