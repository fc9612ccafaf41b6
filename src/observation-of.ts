import type { Observation } from './hosts/host.ts';
import type { Reply } from './http/attempt.ts';

/** What a reply has shown of its host. `waitMs` is the pause that a Retry-After asks for, as far as it is obeyed. */
export function observationOf(reply: Reply, waitMs: number): Observation {
  const { answer, failed } = reply;
  if (failed?.isShortage === true) return { kind: 'shortage' };
  if (answer !== undefined) {
    const isPushBack = answer.status === 429 || answer.status === 503 || failed?.failure.kind === 'timeout';
    return isPushBack ? { kind: 'push-back', waitMs } : { kind: 'answer' };
  }
  const failure = failed?.failure;
  switch (failure?.kind) {
    case 'connect':
    case 'dns':
    case 'tls':
      return { kind: 'failure', isTimeout: false, error: failure.message };
    case 'timeout':
      return { kind: 'failure', isTimeout: true, error: failure.message };
    default:
      return { kind: 'nothing' };
  }
}
