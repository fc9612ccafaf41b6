/** Colours by meaning. Text is padded before it is painted, so colour never moves a column. */
export interface Paint {
  ok(text: string): string;
  fail(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  strong(text: string): string;
}

const same = (text: string): string => text;

/** No colour at all. */
export const plain: Paint = { ok: same, fail: same, warn: same, dim: same, strong: same };
