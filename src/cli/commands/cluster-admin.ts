import { setTimeout as pause } from 'node:timers/promises';
import { type RunStatus, runStatus } from '../../cluster/run-status.ts';
import { stopText } from '../../cluster/run-stop.ts';
import { purgeOptions, statusOptions } from '../../config/cluster-command-options.ts';
import { brokerOptions } from '../../config/cluster-options.ts';
import { givenTo, openBroker, resolveVisit } from '../cluster.ts';
import { createWarn, writeText } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { showConfig } from '../print-config.ts';

/** The status of a run for people. */
function statusText(run: string, status: RunStatus): string {
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

export interface StatusArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

const AGAIN_MS = 1000;

/** `fanout status`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function statusCommand({ flags, process }: StatusArguments): Promise<number> {
  const { values } = resolveVisit(statusOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(brokerOptions, values, process);
  const { engine, run } = await openBroker(values, createWarn(process));
  try {
    for (;;) {
      const status = await runStatus(engine);
      writeText(
        process.stdout,
        values.json ? `${JSON.stringify({ run, ...status })}\n` : statusText(run, status),
      );
      if (!values.watch || status.state === 'complete' || status.state === 'stopped') return EXIT.ok;
      await pause(AGAIN_MS);
    }
  } finally {
    await engine.close();
  }
}

export interface PurgeArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout purge`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function purgeCommand({ flags, process }: PurgeArguments): Promise<number> {
  const { values } = resolveVisit(purgeOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(brokerOptions, values, process);
  const warn = createWarn(process);
  const { engine, run } = await openBroker(values, warn);
  try {
    await engine.purge();
    warn(`the broker has forgotten the run "${run}"; the collector's files are still there`);
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}
