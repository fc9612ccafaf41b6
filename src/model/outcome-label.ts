import type { Result } from './result.ts';

/**
 * The word for what a URL gave, as in the second column of the results: of a failure or a warning its kind, or the
 * status where the kind is `status`; otherwise the status, `-` if there is none.
 */
export function outcomeLabel({ failure, warning, status }: Result): string {
  const trouble = failure ?? warning;
  if (trouble === undefined || (trouble.kind === 'status' && status !== undefined))
    return String(status ?? '-');
  return trouble.kind;
}
