import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DemoHosts, LIST_PORTS, startDemoHosts } from './demo-hosts.ts';
import { listForPorts } from './list-for-ports.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIST = 'fixtures/urls.txt';
const EXPECTED_CODE = 1;
const FEWEST_REQUESTS = 50; // a program that does not start exits with 1, too, but asks for nothing

const MEANINGS: Readonly<Record<number, string>> = {
  0: 'every URL is OK',
  1: 'at least one URL failed',
  2: 'wrong usage, or a list that cannot be read',
  3: 'an output could not be written',
  70: 'the counts do not add up, which is a bug',
  130: 'interrupted',
  143: 'terminated',
};

/** Shows fanout at work against hosts on this machine. Resolves to the exit code of the demo. */
async function demo(): Promise<number> {
  const hosts = await startDemoHosts();
  const scratch = await mkdtemp(join(tmpdir(), 'fanout-demo-'));
  try {
    const list = await listToFetch(hosts, scratch);
    console.log(
      `Four small hosts now run on this machine: one quick, one slow, one shaky, and one that nobody answers for.\n` +
        `fanout fetches the URLs of ${LIST} from them with 8 workers. Some of them fail: they are meant to.\n\n` +
        `$ fanout fetch ${list} -c 8\n`,
    );
    const code = await fanout(['fetch', list, '-c', '8']);
    const { requests, connections } = hosts.seen();
    console.log(`\nExit code ${code}: ${MEANINGS[code] ?? 'unknown'}. A script can rely on it.`);
    console.log(`The hosts saw ${requests} requests on ${connections} connections.`);
    if (code !== EXPECTED_CODE) return code === 0 ? 1 : code;
    return requests < FEWEST_REQUESTS ? 1 : 0;
  } finally {
    await hosts.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Returns the list if the hosts have its ports, otherwise a copy with their real ports. */
async function listToFetch(hosts: DemoHosts, scratch: string): Promise<string> {
  if (LIST_PORTS.every((port, index) => port === hosts.ports[index])) return LIST;
  const copy = join(scratch, 'urls.txt');
  await writeFile(copy, listForPorts(await readFile(join(ROOT, LIST), 'utf8'), hosts.ports));
  return copy;
}

function fanout(args: readonly string[]): Promise<number> {
  // A proxy of this machine could not reach these hosts.
  const env = { ...process.env, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };
  const command = [join(ROOT, 'bin/fanout.js'), ...args];
  const child = spawn(process.execPath, command, { cwd: ROOT, env, stdio: 'inherit' });
  // Ctrl-C reaches the program, too: it finishes its requests in flight, and the demo waits for it.
  process.on('SIGINT', () => {});
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGTERM' ? 143 : 130)));
  });
}

process.exitCode = await demo();
