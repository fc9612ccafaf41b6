import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCluster } from './measure-cluster.ts';
import { measureCpu } from './measure-cpu.ts';
import { measureDns } from './measure-dns.ts';
import { measureFetch } from './measure-fetch.ts';
import { measureGrowth } from './measure-growth.ts';
import { measureHosts } from './measure-hosts.ts';
import { measureHttp2 } from './measure-http2.ts';
import { measureJournalLoad } from './measure-journal-load.ts';
import { measureMemory } from './measure-memory.ts';
import { measureRestarts } from './measure-restarts.ts';
import { measureSaved } from './measure-saved.ts';
import { measureSlowHosts } from './measure-slow-hosts.ts';
import { measureStart } from './measure-start.ts';
import { measureThreads } from './measure-threads.ts';
import { measureTls } from './measure-tls.ts';
import { measureWeb } from './measure-web.ts';
import { isInstalled, missingNote } from './missing.ts';
import { startNginx } from './nginx.ts';
import { isMet, type Row, renderRows } from './row.ts';

const START_ROUNDS = 15;
const PARTS = [
  'start',
  'fetch',
  'cpu',
  'http2',
  'memory',
  'hosts',
  'dns',
  'tls',
  'threads',
  'saved',
  'journal',
  'web',
  'cluster',
  'restarts',
  'growth',
] as const;
const USAGE = `npm run bench -- [--long] [--markdown] [--rounds N] [--urls N] [--only ${PARTS.join('|')}] [--program FILE]`;

/** Measures fanout beside its peers on this machine, and resolves to 1 when a target is missed or a peer not there. */
async function bench(): Promise<number> {
  const settings = settingsFrom(process.argv.slice(2));
  if (!isInstalled('nginx')) throw new Error(missingNote('nginx', 'nginx-light'));
  const log = (text: string) => console.error(text);
  const dir = await mkdtemp(join(tmpdir(), 'fanout-bench-'));
  const nginx = await startNginx();
  try {
    const { program, urls, rounds, isLong, only } = settings;
    const world = { nginx, program, dir, log };
    const rows: Row[] = [];
    if (only.has('start')) rows.push(...(await measureStart({ ...world, rounds: START_ROUNDS })));
    if (only.has('fetch')) rows.push(...(await measureFetch({ ...world, urls, rounds })));
    if (only.has('cpu')) rows.push(...(await measureCpu({ ...world, urls, rounds })));
    if (only.has('http2')) rows.push(...(await measureHttp2({ ...world, rounds: START_ROUNDS })));
    if (only.has('memory')) rows.push(...(await measureMemory({ ...world, isLong })));
    if (only.has('hosts'))
      rows.push(...(await measureSlowHosts({ ...world, rounds })), ...(await measureHosts(world)));
    if (only.has('dns')) rows.push(...(await measureDns({ ...world, rounds })));
    if (only.has('tls')) rows.push(...(await measureTls({ ...world, rounds })));
    if (only.has('threads')) rows.push(...(await measureThreads({ ...world, rounds })));
    if (only.has('saved')) rows.push(...(await measureSaved({ ...world, rounds })));
    if (only.has('web')) rows.push(...(await measureWeb(world)));
    if (only.has('cluster')) rows.push(...(await measureCluster({ ...world, rounds })));
    if (only.has('restarts')) rows.push(...(await measureRestarts(world)));
    if (only.has('growth')) rows.push(...(await measureGrowth({ ...world, isLong })));
    if (only.has('journal'))
      rows.push(...(await measureJournalLoad({ ...world, records: isLong ? 10_000_000 : 1_000_000 })));
    console.log(
      `\nNode ${process.version}, ${cpus().length} cores; wall times and rates are the best of ${rounds} rounds, start-up of ${START_ROUNDS}\n`,
    );
    console.log(renderRows(rows, settings.format));
    return rows.every((row) => isMet(row) !== false && row.missing === undefined) ? 0 : 1;
  } finally {
    await nginx.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function settingsFrom(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      long: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      urls: { type: 'string', default: '100000' },
      only: { type: 'string', multiple: true, default: [...PARTS] },
      program: { type: 'string', default: fileURLToPath(new URL('../../bin/fanout.js', import.meta.url)) },
    },
  });
  const only = new Set(values.only);
  const [rounds, urls] = [Number(values.rounds), Number(values.urls)];
  const areKnown = values.only.every((part) => PARTS.some((known) => known === part));
  if (!(rounds >= 1 && urls >= 1 && areKnown)) throw new Error(`Cannot use these options: ${USAGE}`);
  const format: 'markdown' | 'text' = values.markdown ? 'markdown' : 'text';
  return { program: values.program, isLong: values.long, format, rounds, urls, only };
}

process.exitCode = await bench();
