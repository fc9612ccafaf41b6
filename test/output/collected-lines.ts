import type { LineOutput } from '../../src/output/line-writer.ts';

/** An output that collects its lines in memory. */
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
