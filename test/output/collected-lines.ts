import type { LineOutput } from '../../src/output/line-writer.ts';

/** An output that keeps what it gets. */
export class CollectedLines implements LineOutput {
  text = '';
  isEnded = false;

  write(lines: string): void {
    this.text += lines;
  }

  async end(): Promise<void> {
    this.isEnded = true;
  }
}
