import type { Page } from './pages.ts';

/** Those that need a broker, as `fanout fetch --broker` does, or zsh: they have tests of their own. */
const ELSEWHERE = /\bfanout (feed|work|collect|status|dead|purge|completion zsh)\b|--broker\b/;

/** The commands of a page that a reader may type as they stand, without their remarks: one for each line of a block for shells. */
export function commandsOf({ text }: Page): readonly string[] {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.split('\n'))
    .filter((line) => /\bfanout (fetch|report|diff|completion)\b/.test(line) && !ELSEWHERE.test(line))
    .map((line) => line.replace(/ {2,}# .*$/, '').trim());
}
