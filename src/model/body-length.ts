import type { Result } from './result.ts';

/** Length of a body in bytes: as it was kept, which is more than came when it was gone on with, or else as far as it was read. */
export function bodyLength({ body, bytes }: Result): number {
  return body?.bytes ?? bytes;
}
