import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Failure, FailureKind } from '../model/failure.ts';

/** A failure of the network, and whether another attempt may end better. */
export interface NetworkFailure {
  readonly failure: Failure;
  readonly isRetryable: boolean;
  /** Whether this machine could not even try, so that it says nothing of the URL and its host. */
  readonly isResourceExhausted?: boolean;
}

/** The code of the one answer of a proxy that no other attempt makes better. */
export const PROXY_AUTHENTICATION = 'ERR_PROXY_AUTHENTICATION';

/** An error whose kind is known where it is made, since a code alone does not tell it. */
export abstract class KnownError extends Error {
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** fanout itself ended an attempt: the time was up, the run is being ended, or what came breaks a rule of ours. */
export class AttemptError extends KnownError {
  override readonly name = 'AttemptError';
}

/** A connection could not be made. The phase that failed names the kind. */
export class ConnectError extends KnownError {
  override readonly name = 'ConnectError';
}

/** This machine has run out of something that a connection needs: nothing was sent, and the host is not to blame. */
export class ResourceExhaustedError extends KnownError {
  override readonly name = 'ResourceExhaustedError';

  constructor(code: string | undefined, message: string) {
    super('connect', code, message);
  }
}

const SHORTAGES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
/** Descriptors that one look-up may need at once: the hosts file or sockets to the name servers. */
const FOR_A_LOOK_UP = 4;

/** Whether an error of the system says that the machine has run out of descriptors or memory. */
export function isResourceExhausted(code: string | undefined): boolean {
  return SHORTAGES.has(code);
}

/**
 * Says whether a look-up that has just failed may have failed for want of descriptors. The resolvers do not tell:
 * getaddrinfo calls the name unknown, and c-ares the name server.
 */
export function isOutOfDescriptors(): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < FOR_A_LOOK_UP) opened.push(openSync(devNull, 'r'));
    return false;
  } catch (error) {
    return isResourceExhausted((error as NodeJS.ErrnoException).code); // `openSync` throws nothing else
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
