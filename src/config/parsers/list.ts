/** The parts of a list: `200,3xx` as text, a JSON list of text and numbers, or one number. White space is dropped. */
export function listOf(value: unknown): readonly string[] | undefined {
  if (typeof value === 'number') return [String(value)];
  if (typeof value === 'string') return value.split(',').map((part) => part.trim());
  if (!Array.isArray(value) || !value.every((part) => typeof part === 'string' || typeof part === 'number')) {
    return undefined;
  }
  return value.map((part) => String(part).trim());
}
