import { readFile, writeFile } from 'node:fs/promises';
import { COMMANDS } from '../../src/cli/command-specs.ts';
import { packageVersion } from '../../src/model/version.ts';
import { manPage } from './man-page.ts';
import { renewManual } from './manual.ts';
import { MAN_PAGE, MANUAL } from './pages.ts';

await writeFile(MANUAL, renewManual(await readFile(MANUAL, 'utf8'), COMMANDS));
await writeFile(MAN_PAGE, manPage(COMMANDS, packageVersion()));
