import { stat } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { Journal } from '../../src/journal/journal.ts';
import { GET, job, journalOptions, succeed } from './a-journal.ts';

// Appends records without end. Prints the number of records at the start as soon as the file has grown.
const [path = ''] = process.argv.slice(2);
const options = journalOptions();
const journal = await Journal.open(path, options);
const { size } = await stat(path);
let hasGrown = false;
for (let index = 0; ; index++) {
  const one = job(index, `https://example.com/${index}`);
  if (journal.recall(one, GET) !== undefined) continue;
  await journal.write(succeed(one));
  if (index % 50 !== 0) continue;
  await turn();
  if (hasGrown || (await stat(path)).size === size) continue;
  hasGrown = true;
  console.log(JSON.stringify({ records: journal.records, warnings: options.warnings }));
}
