import { Writable } from 'node:stream';

/** A stream that takes a write only when its `accept` or `refuse` is called. */
export class SlowStream extends Writable {
  readonly writes: string[] = [];
  #accept: ((error?: Error | null) => void) | undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.writes.push(chunk.toString());
    this.#accept = callback;
  }

  accept(): void {
    this.#accept?.();
  }

  refuse(code: string, errno = 0): void {
    this.#accept?.(Object.assign(new Error(`${code}: refused`), { code, errno }));
  }
}
