import {
  collectOptions,
  deadOptions,
  feedOptions,
  purgeOptions,
  statusOptions,
  workOptions,
} from '../config/broker-command-options.ts';
import type { CommandSpec } from './command-spec.ts';

const EXAMPLES = `
Examples, of one run on many machines:
  fanout feed urls.txt --broker nats://queue:4222 --run may    send the list, once, from anywhere
  fanout work --broker nats://queue:4222 --run may -c 256      on each machine that fetches
  fanout collect --broker nats://queue:4222 --run may -q       on one machine: results, summary, exit code
  fanout work --shards /mnt/results ...                        results into files, and not through the broker
  fanout status --broker nats://queue:4222 --run may           how far it is
  fanout purge --broker nats://queue:4222 --run may            when all is done

FANOUT_BROKER and FANOUT_RUN may stand in place of the two flags.`;

/** The commands of a run over several machines. */
export const BROKER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'feed',
    summary: 'send a list to many machines',
    description:
      'Sends the URLs of the inputs to a broker, in chunks. The same command goes on where it was cut off.',
    operands: [
      {
        name: '[inputs...]',
        help: 'files of URLs (also .gz), - for standard input, or URLs; standard input if there is none',
        suggestions: 'files',
      },
    ],
    options: feedOptions,
    helpGroup: 'Several machines',
    examples: EXAMPLES,
  },
  {
    name: 'work',
    summary: 'fetch what a broker hands out',
    description:
      'Fetches the URLs of a run that a broker hands out, until the run is complete. Start it on as many machines as you like, at any time.',
    operands: [],
    options: workOptions,
    helpGroup: 'Several machines',
    examples: EXAMPLES,
  },
  {
    name: 'collect',
    summary: 'collect the results of many machines',
    description:
      'Takes the results of a run from a broker, keeps them in a file, and writes them as fanout fetch does. It ends when the run is complete, with the exit codes of fanout fetch; after a crash, the same command goes on.',
    operands: [],
    options: collectOptions,
    helpGroup: 'Several machines',
    examples: EXAMPLES,
  },
  {
    name: 'status',
    summary: 'show how a run on many machines stands',
    description: 'Shows what of a run is sent, waits, is under way and is done.',
    operands: [],
    options: statusOptions,
    helpGroup: 'Several machines',
    examples: EXAMPLES,
  },
  {
    name: 'dead',
    summary: 'show the URLs that no worker survived',
    description:
      'Lists the URLs of a run at which several workers died, exports them as jobs that fanout fetch and fanout feed read, or sends them again: those of the run NAME, once it is complete, as the run NAME-retry-1.',
    operands: [
      {
        name: '[action]',
        help: 'list, export or retry; list if there is none',
        suggestions: ['list', 'export', 'retry'],
      },
    ],
    options: deadOptions,
    helpGroup: 'Several machines',
    examples: EXAMPLES,
  },
  {
    name: 'purge',
    summary: 'delete a run from its broker',
    description: 'Deletes all that a broker holds of a run. The files of the collector stay.',
    operands: [],
    options: purgeOptions,
    helpGroup: 'Several machines',
    examples: EXAMPLES,
  },
];
