import type { Page } from './pages.ts';

/** Commands that need a broker or zsh; other tests cover them. */
const ELSEWHERE = /\bfanout (cluster|completion zsh)\b/;

/** Returns the commands of the shell blocks of a page, one per line, without the remarks behind them. */
export function commandsOf({ text }: Page): readonly string[] {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.split('\n'))
    .filter((line) => /\bfanout (fetch|report|diff|completion)\b/.test(line) && !ELSEWHERE.test(line))
    .map((line) => line.replace(/ {2,}# .*$/, '').trim());
}
