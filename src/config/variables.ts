import { BadValue } from './bad-value.ts';

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Puts the values of environment variables in place of `$NAME` and `${NAME}`, in text and in the text inside of
 * lists and objects. `$$` is a `$`; a `$` before anything else stays. Throws `BadValue` when one is missing.
 */
export function expandVariables(value: unknown, environment: Environment): unknown {
  if (typeof value === 'string') return expandText(value, environment);
  if (Array.isArray(value)) return value.map((item) => expandVariables(item, environment));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expandVariables(item, environment)]),
  );
}

/** Writes text so that `expandVariables` gives it back unchanged. */
export function escapeVariables(text: string): string {
  return text.replace(/\$(?=[A-Za-z_{$])/g, '$$$$');
}

function expandText(text: string, environment: Environment): string {
  return text.replace(/\$(?:\$|\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (_, braced?: string, name = braced) => {
    if (name === undefined) return '$';
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined)
      throw new BadValue(`it needs the environment variable ${name}, which is not set`);
    return value;
  });
}
