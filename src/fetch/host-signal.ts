import type { HostSignal } from '../hosts/host-registry.ts';
import type { AttemptOutcome } from '../http/transport.ts';

/** Nothing to learn. */
export const NEUTRAL: HostSignal = { kind: 'neutral' };
const RESPONSE: HostSignal = { kind: 'response' };

/** What an outcome shows of its host. `pauseMs` is the Retry-After that is obeyed. */
export function toHostSignal(
  { response, failed, isStale, streams }: AttemptOutcome,
  pauseMs: number,
): HostSignal {
  if (failed?.isResourceExhausted === true) return { kind: 'exhausted' };
  if (response === undefined && (isStale || failed?.isUnprocessed === true)) return NEUTRAL;
  if (response !== undefined) {
    const { status } = response;
    const isPushBack = status === 429 || status === 503 || (status === 403 && pauseMs > 0);
    if (isPushBack) return { kind: 'push-back', waitMs: pauseMs };
    if (failed?.failure.kind === 'timeout') return { kind: 'response', isSlow: true, streams };
    return streams === undefined ? RESPONSE : { kind: 'response', streams };
  }
  const failure = failed?.failure;
  switch (failure?.kind) {
    case 'tls':
      // A host with a bad certificate is up.
      if (failed?.isRetryable === false) return RESPONSE;
      return { kind: 'failure', isTimeout: false, error: failure.message };
    case 'connect':
    case 'dns':
    case 'protocol':
    case 'reset':
    case 'timeout': {
      const { kind, message } = failure;
      return { kind: 'failure', isTimeout: kind === 'timeout', isReset: kind === 'reset', error: message };
    }
    default:
      return NEUTRAL;
  }
}
