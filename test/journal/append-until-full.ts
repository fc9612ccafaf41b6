import { setImmediate as turn } from 'node:timers/promises';
import { Journal } from '../../src/journal/journal.ts';
import { GET, job, journalOptions, succeed } from './a-journal.ts';

// Appends records until that fails and prints the error, then ends the journal, as the collector does.
const [path = ''] = process.argv.slice(2);
const journal = await Journal.open(path, journalOptions());
try {
  for (let index = 0; ; index++) {
    const one = job(index, `https://example.com/${index}`);
    journal.recall(one, GET);
    await journal.write(succeed(one));
    await turn();
  }
} catch (error) {
  console.log(String(error));
}
await journal.end().catch((error: unknown) => console.log(String(error)));
