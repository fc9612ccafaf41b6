import { parseLine } from './parse-line.ts';

/** Where URLs come from: a file, standard input, or one URL given as an argument. */
export type Input =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'url'; readonly url: string };

/** What an `INPUT` argument means: `-` is standard input, `http://` or `https://` starts a URL, all else is a file. */
export function classifyInput(argument: string): Input {
  if (argument === '-') return { kind: 'stdin' };
  if (/^https?:\/\//i.test(argument)) return { kind: 'url', url: argument };
  return { kind: 'file', path: argument };
}

/** What an input is called in a record and in a message: its path, its URL without user and password, or `-`. */
export function inputName(input: Input): string {
  switch (input.kind) {
    case 'file':
      return input.path;
    case 'stdin':
      return '-';
    case 'url':
      return parseLine(input.url).url;
  }
}
