import type { NameField, NamePart, NameTemplate } from '../model/name-template.ts';

/** A template cut into the parts of a name. */
export interface TemplateShape {
  /** Directories before the path. */
  readonly plain: readonly NameTemplate[];
  readonly hasPath: boolean;
  /** Directories behind those of the path. */
  readonly mixed: readonly NameTemplate[];
  readonly file: NameTemplate;
  /** What its names tell apart by themselves: every two jobs, all that a plain URL says, or less. */
  readonly tells: 'jobs' | 'urls' | 'less';
}

// As long in each name.
const FIXED: ReadonlySet<NameField> = new Set(['hash', 'status']);

/** Cuts a template at each `/`; a path brings its own. */
export function shapeOf(template: NameTemplate): TemplateShape {
  const path = template.findIndex((part) => 'field' in part && part.field === 'path');
  const before = partsOf(path === -1 ? template : template.slice(0, path));
  const fromPath = path === -1 ? [] : partsOf(template.slice(path));
  // The path starts with a `/` of its own.
  if (path !== -1 && before.at(-1)?.length === 0) before.pop();
  const tells = tellsOf(template, [...before, ...fromPath]);
  const file = (path === -1 ? before : fromPath).pop() ?? [];
  return { plain: before, hasPath: path !== -1, mixed: fromPath, file, tells };
}

function partsOf(template: NameTemplate): NamePart[][] {
  const parts: NamePart[][] = [[]];
  for (const piece of template) {
    if ('field' in piece) parts.at(-1)?.push(piece);
    else {
      for (const [index, text] of piece.text.split('/').entries()) {
        if (index > 0) parts.push([]);
        if (text !== '') parts.at(-1)?.push({ text });
      }
    }
  }
  return parts;
}

function tellsOf(template: NameTemplate, parts: readonly NameTemplate[]): TemplateShape['tells'] {
  const has = (part: NameTemplate, field: NameField) =>
    part.some((piece) => 'field' in piece && piece.field === field);
  const decisive = parts.find((part) => has(part, 'index') || has(part, 'hash'));
  if (decisive !== undefined && isReadable(decisive)) return 'jobs';
  if (!has(template, 'host') || !has(template, 'path')) return 'less';
  // A URL with a query is not plain, so here a query is empty.
  const others = (part: NameTemplate) => part.filter((piece) => 'text' in piece || piece.field !== 'query');
  return parts.every((part) => isReadable(others(part))) ? 'urls' : 'less';
}

/** Whether the values of all fields can be read back from what they give together: at most one has an unknown end. */
function isReadable(part: NameTemplate): boolean {
  let first = 0;
  let last = part.length;
  while (first < last && isBounded(part[first], part[first + 1], 0)) first += 1;
  while (first < last && isBounded(part[last - 1], part[last - 2], -1)) last -= 1;
  return last - first <= 1;
}

/** Whether a piece at the edge of what is left has a known length, or is a number that something else follows. */
function isBounded(piece: NamePart | undefined, neighbour: NamePart | undefined, nearest: 0 | -1): boolean {
  if (piece === undefined || 'text' in piece || FIXED.has(piece.field)) return true;
  if (piece.field !== 'index' || neighbour === undefined) return false;
  if ('text' in neighbour) return !/\d/.test(neighbour.text.at(nearest) ?? '');
  // An extension starts with a dot, and may be missing.
  return neighbour.field === 'ext' && nearest === 0;
}
