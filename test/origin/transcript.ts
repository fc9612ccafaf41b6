import type { Readable } from 'node:stream';

/** All text that a stream has given so far; a test can wait for a part of it. */
export class Transcript {
  #text = '';
  #ended = false;
  #watchers: (() => boolean)[] = [];

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      this.#text += text;
      this.#check();
    });
    stream.once('close', () => {
      this.#ended = true;
      this.#check();
    });
  }

  get text(): string {
    return this.#text;
  }

  /** Resolves with all text so far once this part is in it; rejects when the stream ends without. */
  sees(part: string | RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const settled = (): boolean => {
        const seen = typeof part === 'string' ? this.#text.includes(part) : part.test(this.#text);
        if (seen) resolve(this.#text);
        else if (this.#ended)
          reject(new Error(`The output ended without ${part}: ${JSON.stringify(this.#text)}`));
        return seen || this.#ended;
      };
      if (!settled()) this.#watchers.push(settled);
    });
  }

  #check(): void {
    this.#watchers = this.#watchers.filter((settled) => !settled());
  }
}
