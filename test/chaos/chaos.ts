import { parseArgs } from 'node:util';
import { FAULT_NAMES, type FaultName } from './faults.ts';
import { planRound, runRound } from './round.ts';

const USAGE = `npm run chaos -- [--rounds N] [--seed S] [--only ${FAULT_NAMES.join('|')}]`;
const LIMIT_MS = 120_000;

/** Does rounds of faults to runs of the built program, and resolves to 1 when a run is not as it must be. */
async function chaos(): Promise<number> {
  const { rounds, seed: first, only } = settingsFrom(process.argv.slice(2));
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    const seed = first + round;
    const main = only ?? FAULT_NAMES[seed % FAULT_NAMES.length] ?? 'kill';
    const plan = planRound(seed, { main, isOnly: only !== undefined });
    const { partitions, servers, isOrdered, hasShards, urls, chunk, workers } = plan;
    const report = await runRound(plan, seed, LIMIT_MS);
    const { done, results, fetchedTwice, reconciled, seconds, short, faults, messages, dir } = report;
    const kind = [
      `${workers} workers`,
      `chunks of ${chunk}`,
      ...(partitions === undefined ? [] : [`${partitions} partitions`]),
      ...(servers === 3 ? ['3 servers'] : []),
      ...(hasShards ? ['shards'] : []),
      ...(isOrdered ? ['ordered'] : []),
    ].join(', ');
    const counts = `${urls} URLs, ${results} results, ${fetchedTwice} fetched twice, ${reconciled} times reconciled, ${seconds.toFixed(1)} s`;
    const others = short === 0 ? '' : `, ${short} collectors short, as they say`;
    const verdict = faults.length === 0 ? `exact${others}` : 'WRONG';
    console.log(`seed ${seed} (${kind}): ${done.join('; ')} | ${counts} | ${verdict}`);
    if (faults.length === 0) continue;
    wrong += 1;
    console.log(`${faults.map((fault) => `  ${fault}`).join('\n')}\n${messages}  files: ${dir}`);
    console.log(
      `  again: npm run chaos -- --rounds 1 --seed ${seed}${only === undefined ? '' : ` --only ${only}`}`,
    );
  }
  console.log(`${rounds} rounds, ${wrong} of them wrong`);
  return wrong === 0 ? 0 : 1;
}

function settingsFrom(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
    },
  });
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
  const only: FaultName | undefined = FAULT_NAMES.find((name) => name === values.only);
  const isKnown = values.only === undefined || only !== undefined;
  if (!(Number.isInteger(rounds) && rounds >= 1 && Number.isInteger(seed) && seed >= 0 && isKnown))
    throw new Error(`Cannot use these options: ${USAGE}`);
  return { rounds, seed, only };
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

process.exitCode = await chaos();
