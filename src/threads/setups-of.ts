import type { RunParts } from '../fetching.ts';
import { sharedPaceMemory } from '../hosts/shared-pace.ts';
import { RESERVE } from '../http/socket-budget.ts';
import { socketsOf } from '../open-network.ts';
import type { ThreadSetup } from './messages.ts';
import { packOptions } from './packed-options.ts';

/** Divides workers, queue and descriptors among `wanted` threads, or fewer, so that each has a worker. */
export function setupsOf(parts: RunParts, wanted: number): ThreadSetup[] {
  const { options, defaults, tls, proxies, fileLimit } = parts;
  const { workers } = socketsOf(parts);
  const count = Math.min(wanted, workers);
  const pace = options.rate === undefined ? undefined : sharedPaceMemory();
  const files = fileLimit === undefined ? undefined : RESERVE + Math.floor((fileLimit - RESERVE) / count);
  return Array.from({ length: count }, (_, index) => {
    const concurrency = Math.floor(workers / count) + (index < workers % count ? 1 : 0);
    return {
      index,
      count,
      options: packOptions({ ...options, concurrency }),
      // What else the template of a request may hold stays here.
      defaults: {
        method: defaults.method,
        headers: defaults.headers,
        body: defaults.body,
        hostHeaders: defaults.hostHeaders,
      },
      tls,
      proxies,
      fileLimit: files,
      pace,
    };
  });
}
