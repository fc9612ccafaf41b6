import type { Dispatcher } from 'undici';

/** What a carrier tells of an exchange, as undici does: a head, data, and one of the last two, once. */
export interface CarriedExchange {
  onRequestStart(controller: Dispatcher.DispatchController): void;
  onResponseStart(controller: unknown, status: number, headers: CarriedHeaders, statusText?: string): void;
  onResponseData(controller: unknown, chunk: Buffer): void;
  onResponseEnd(): void;
  onResponseError(controller: unknown, error: Error): void;
}

type CarriedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Carries exchanges with one origin over one connection at a time, and one exchange after the other. */
export interface Carrier {
  dispatch(request: Dispatcher.DispatchOptions, exchange: CarriedExchange): unknown;
  /** Ends whatever it does; it is not to be used again. */
  destroy(reason: Error): Promise<void>;
}
