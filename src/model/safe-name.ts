/** Maximum length of one path component in bytes. Common file systems allow 255; the rest is for suffixes of temporary files. */
export const MAX_FILE_NAME_BYTES = 240;

/** Maximum length of a whole name in bytes. macOS allows 1024, the save directory included. */
export const MAX_NAME_BYTES = 700;

// Characters that Windows or exFAT refuse, control characters, and invisible characters, which HFS+ ignores.
const FORBIDDEN = /[<>:"|?*\\/\p{C}\u2028\u2029]/u;

// Device names on Windows, also before an extension.
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$) *(?=\.|$)/i;

// Windows drops trailing dots and spaces; some tools drop leading spaces.
const EDGES = /^ +|[. ]+$/;

/** The end of the names of incomplete bodies and of their metadata. No other name may have it. */
export const UNFINISHED = /\.part(?:\.json)?$/i;

const ALL_FORBIDDEN = new RegExp(FORBIDDEN, 'gu');
const ALL_EDGES = new RegExp(EDGES, 'g');

// Fast path for most components.
const PLAIN = /^[0-9A-Za-z_-]{1,100}(?:\.[0-9A-Za-z_-]{1,100}){0,3}$/;

// More than is ever kept of a component, and short enough for expressions with backtracking.
const MAX_START = 900;
const MAX_END = 100;

/** Makes a path component valid on every common file system, except that it may still be too long. */
export function safePart(text: string): string {
  if (PLAIN.test(text) && !DEVICE.test(text) && !UNFINISHED.test(text)) return text;
  const ends = text.length > MAX_START + MAX_END ? text.slice(0, MAX_START) + text.slice(-MAX_END) : text;
  const safe = ends
    .normalize('NFC')
    .replace(ALL_FORBIDDEN, '_')
    .replace(ALL_EDGES, (edge) => '_'.repeat(edge.length))
    .replace(DEVICE, '$&_')
    .replace(UNFINISHED, '$&_');
  return safe === '' ? '_' : safe;
}

/** What a name must be to be a valid relative file name on every common file system; `undefined` if it is one. */
export function fileNameFault(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) return 'must be relative to the directory of --save-dir';
  for (const part of name.split('/')) {
    if (part === '..' || part === '.') return 'must not contain the parts "." and ".."';
    if (part === '') return 'must name a file, with one "/" between its parts';
    if (Buffer.byteLength(part) > MAX_FILE_NAME_BYTES) {
      return `must not have parts longer than ${MAX_FILE_NAME_BYTES} bytes`;
    }
    if (FORBIDDEN.test(part)) return 'must not contain < > : " | ? * \\ or invisible characters';
    if (DEVICE.test(part)) return 'must not be the name of a Windows device, such as CON or NUL';
    if (UNFINISHED.test(part)) return 'must not end in .part or .part.json, the names of incomplete bodies';
    if (EDGES.test(part)) return 'must not have parts that start with a space, or end in a space or a dot';
  }
  if (name !== name.normalize('NFC')) return 'must be composed (Unicode NFC)';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `must be at most ${MAX_NAME_BYTES} bytes`;
  return undefined;
}
