import type { RunStatus } from '../broker/run-status.ts';
import { stopText } from '../broker/run-stop.ts';

/** The status of a run for people. */
export function statusText(run: string, status: RunStatus): string {
  const { state, stopped, collector, urls, chunks, sent, done, ok, failed, etaSeconds } = status;
  const lines = [
    `${run}: ${stopped === undefined ? WORDS[state] : `stopped ${stopText(stopped)}; "fanout collect" goes on with it`}`,
    `  sent        ${sent}${chunks === undefined ? ' chunks so far' : ` of ${chunks} chunks, ${urls} URLs`}`,
    `  waiting     ${status.queued} chunks`,
    `  under way   ${status.underWay} chunks`,
    `  uncollected ${status.uncollected} chunks`,
    `  done        ${done} chunks, ${ok} OK, ${failed} failed, ${status.dead} of them dead`,
    `  duplicates  ${status.duplicates} chunks, dropped`,
    `  rate        ${status.urlsPerSecond} URLs/s${etaSeconds === undefined ? '' : `, about ${etaSeconds} s left`}`,
  ];
  if (state !== 'complete') {
    lines.push(`  oldest      chunk ${status.oldest} is the first without a result`);
    lines.push(`  collector   ${COLLECTORS[collector]}`);
  }
  return `${lines.join('\n')}\n`;
}

const WORDS: Readonly<Record<RunStatus['state'], string>> = {
  feeding: 'the list is being sent',
  working: 'all is sent',
  short:
    'SHORT: nothing waits, but chunks have no result; type "fanout feed --reconcile" with the same inputs',
  stopped: 'stopped',
  complete: 'complete',
};

const COLLECTORS: Readonly<Record<RunStatus['collector'], string>> = {
  here: 'is there',
  none: 'NONE: start "fanout collect"',
  silent: 'does not answer',
};
