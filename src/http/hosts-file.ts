import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { platform } from 'node:os';
import { isShortage, ShortageError } from './shortage.ts';

/** Addresses by name, in the order of the file. */
export type HostsFile = ReadonlyMap<string, readonly string[]>;

const PATH = platform() === 'win32' ? String.raw`C:\Windows\System32\drivers\etc\hosts` : '/etc/hosts';

/**
 * Reads the hosts file of the system, which c-ares leaves out. One that cannot be read holds nothing; rejects with a
 * `ShortageError` when the process has no descriptor for it.
 */
export async function readHostsFile(path = PATH): Promise<HostsFile> {
  try {
    return parseHostsFile(await readFile(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // `readFile` throws nothing else
    if (isShortage(code)) throw new ShortageError(code, 'the hosts file cannot be opened');
    return new Map();
  }
}

/** Reads `ADDRESS NAME...` line by line: a name may have several lines. Lines that are no such thing are passed over. */
export function parseHostsFile(text: string): HostsFile {
  const known = new Map<string, string[]>();
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) add(known, name.toLowerCase().replace(/\.$/, ''), address);
  }
  return known;
}

function add(known: Map<string, string[]>, name: string, address: string): void {
  const addresses = known.get(name);
  if (addresses === undefined) known.set(name, [address]);
  else if (!addresses.includes(address)) addresses.push(address);
}
