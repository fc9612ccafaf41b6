/** The code that Node gives an error of the system or of its own, such as `ENOENT`; `undefined` when there is none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
