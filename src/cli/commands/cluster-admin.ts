import { setTimeout as pause } from 'node:timers/promises';
import { stopText } from '../../cluster/run-state.ts';
import { type RunStatus, runStatus } from '../../cluster/run-status.ts';
import { brokerOptions } from '../../config/cluster-options.ts';
import { purgeOptions, statusOptions } from '../../config/command-options.ts';
import { connectToRun, loadOptionSources, resolveAdminOptions } from '../cluster.ts';
import { EXIT } from '../exit-code.ts';
import { printConfig } from '../print-config.ts';
import { createMessages, writeText } from '../terminal.ts';

/** How often `--watch` shows the status. */
const WATCH_INTERVAL_MS = 1000;

const STATES: Readonly<Record<RunStatus['state'], string>> = {
  feeding: 'sending the list',
  working: 'the whole list is sent',
  short:
    'INCOMPLETE: the queue is empty, but some chunks have no results; run "fanout cluster feed --reconcile" with the same inputs',
  stopped: 'stopped',
  complete: 'complete',
};

const COLLECTORS: Readonly<Record<RunStatus['collector'], string>> = {
  here: 'is running',
  none: 'NONE: start "fanout cluster collect"',
  silent: 'does not respond',
};

export interface AdminArguments {
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout cluster status`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function statusCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(statusOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  const { engine, run } = await connectToRun(values, createMessages(process));
  try {
    for (;;) {
      const status = await runStatus(engine);
      const text = values.json ? `${JSON.stringify({ run, ...status })}\n` : statusText(run, status);
      writeText(process.stdout, text);
      if (!values.watch || status.state === 'complete' || status.state === 'stopped') return EXIT.ok;
      await pause(WATCH_INTERVAL_MS);
    }
  } finally {
    await engine.close();
  }
}

function statusText(run: string, status: RunStatus): string {
  const { state, stopped, collector, urls, chunks, sent, done, ok, failed, etaSeconds } = status;
  const lines = [
    `${run}: ${stopped === undefined ? STATES[state] : `stopped ${stopText(stopped)}; run "fanout cluster collect" to continue`}`,
    `  sent        ${sent}${chunks === undefined ? ' chunks so far' : ` of ${chunks} chunks, ${urls} URLs`}`,
    `  waiting     ${status.queued} chunks`,
    `  in flight   ${status.underWay} chunks`,
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

/** `fanout cluster purge`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function purgeCommand({ flags, process }: AdminArguments): Promise<number> {
  const { values } = resolveAdminOptions(purgeOptions, await loadOptionSources(flags, process.env));
  if (values.printConfig) return printConfig(brokerOptions, values, process);
  const messages = createMessages(process);
  const { engine, run } = await connectToRun(values, messages);
  try {
    await engine.purge();
    messages.note(`deleted the run "${run}" from the broker; the collector's files are kept`);
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}
