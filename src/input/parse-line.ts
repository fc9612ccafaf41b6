import { type JobFields, type JobSyntax, parseJobInput } from './parse-job-input.ts';
import { parseUrl } from './parse-url.ts';
import { excerpt, shownUrl } from './shown-url.ts';

/** The text of a job line without the white space around it, or `undefined` for a blank line or a comment. */
export function jobText(line: string): string | undefined {
  const text = line.trim();
  return text === '' || text.startsWith('#') ? undefined : text;
}

/** Whether the first character of a line, white space aside, is `#`. */
export function isComment(start: string): boolean {
  return start.trimStart().startsWith('#');
}

/** Reads a trimmed line, a URL or a JSON job. Never throws: what cannot be fetched has `invalid`, the reason. */
export function parseLine(text: string, syntax: JobSyntax = {}): JobFields {
  if (text.startsWith('{')) return parseJsonLine(text, syntax);
  const parsed = parseUrl(text, syntax.defaultScheme);
  if ('invalid' in parsed) return { url: shownUrl(text), invalid: parsed.invalid };
  const { url, authorization } = parsed;
  return authorization === undefined ? { url } : { url, headers: { authorization } };
}

function parseJsonLine(text: string, syntax: JobSyntax): JobFields {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and the text may hold a secret.
    return {
      url: shownUrl(text),
      invalid: `Cannot read "${excerpt(text)}" as a job: it must be one JSON object`,
    };
  }
  // Only an object starts with `{`, which the compiler cannot know.
  return parseJobInput(input as object, text, syntax);
}
