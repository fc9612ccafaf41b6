#!/usr/bin/env node
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** The cache directory of the user (XDG Base Directory Specification). */
function cacheHome() {
  const { XDG_CACHE_HOME = '' } = process.env;
  return isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache');
}

// Node 22.1 and newer keep compiled code between runs, which makes a run of one URL a fifth faster. A directory that cannot
// be written changes nothing, and Node checks what it reads.
try {
  module.enableCompileCache?.(join(cacheHome(), 'fanout'));
} catch {
  // This user has no home directory.
}

const program = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(program)) {
  const { main } = await import(program.href);
  process.exitCode = await main(process);
} else {
  process.stderr.write('error: this checkout is not built: run "npm ci" in it\n');
  process.exitCode = 2;
}
