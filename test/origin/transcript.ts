import type { Readable } from 'node:stream';

/** All text that a stream or program has given so far; a test can wait for a part of it. */
export class Transcript {
  #text = '';
  #ended = false;
  #watchers: (() => boolean)[] = [];

  /** Takes all text of a stream. */
  static of(stream: Readable): Transcript {
    const transcript = new Transcript();
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => transcript.add(text));
    stream.once('close', () => transcript.end());
    return transcript;
  }

  add(text: string): void {
    this.#text += text;
    this.#check();
  }

  /** Says that no more text comes. */
  end(): void {
    this.#ended = true;
    this.#check();
  }

  get text(): string {
    return this.#text;
  }

  /** Resolves with all text so far once this part is in it; rejects when it ends without. */
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
