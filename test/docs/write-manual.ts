import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { COMMANDS } from '../../src/cli/command-specs.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { packageVersion } from '../../src/model/version.ts';
import { configSchema } from './config-schema.ts';
import { manPage } from './man-page.ts';
import { renewManual } from './manual.ts';
import { CONFIG_SCHEMA, MAN_PAGE, MANUAL } from './pages.ts';

await writeFile(MANUAL, renewManual(await readFile(MANUAL, 'utf8'), COMMANDS));
await writeFile(CONFIG_SCHEMA, configSchema(programOptions));
execFileSync('biome', ['format', '--write', CONFIG_SCHEMA], { stdio: 'ignore' });
await writeFile(MAN_PAGE, manPage(COMMANDS, packageVersion()));
