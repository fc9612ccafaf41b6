import { UsageError } from '../model/errors.ts';
import type { NameTemplate } from '../model/job.ts';
import type { ResolvedOptions } from './option-sources.ts';
import type { RunOptions, runOptions } from './run-options.ts';

const DEFAULT_NAME: NameTemplate = Object.freeze([{ field: 'host' }, { field: 'path' }]);

/** Works out the defaults that depend on other values, and checks what spans more than one option. */
export function deriveRunOptions(
  { values, places }: ResolvedOptions<typeof runOptions>,
  version: string,
): RunOptions {
  const minQueue = 4 * values.concurrency;
  if (values.queue !== undefined && values.queue < minQueue) {
    throw new UsageError(
      `Cannot use ${values.queue} for ${places.get('queue')}: it must be at least 4 times the concurrency, ${minQueue}`,
    );
  }
  checkBodies({ values, places });
  const isLimited = values.saveDir === undefined || places.has('maxSize');
  return Object.freeze({
    ...values,
    name: values.saveDir === undefined ? undefined : (values.name ?? DEFAULT_NAME),
    maxSize: isLimited ? values.maxSize : Number.POSITIVE_INFINITY,
    queue: values.queue ?? Math.max(1000, minQueue),
    method: values.method ?? defaultMethod(values.head, values.data),
    hashesBodies: true,
    userAgent: values.userAgent ?? `fanout/${version}`,
  });
}

function checkBodies({ values, places }: ResolvedOptions<typeof runOptions>): void {
  const { saveDir, saveAll, resumePartial, name } = values;
  if (saveDir === undefined) {
    const alone = [saveAll && 'saveAll', resumePartial && 'resumePartial', 'name'];
    const place = alone
      .map((key) => (key === false ? undefined : places.get(key)))
      .find((one) => one !== undefined);
    if (place === undefined) return;
    throw new UsageError(`Cannot use ${place} alone: it needs a directory to save bodies in, too`);
  }
  // Where the rest of a body belongs must be known before the server has answered.
  if (resumePartial && name?.some((part) => 'field' in part && part.field === 'status')) {
    throw new UsageError(
      `Cannot use ${places.get('resumePartial')} with {status} in ${places.get('name')}: a name must not depend on the answer`,
    );
  }
}

// As curl does.
function defaultMethod(head: boolean, data: string | undefined): string {
  if (head) return 'HEAD';
  return data === undefined ? 'GET' : 'POST';
}
