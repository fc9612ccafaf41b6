import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { timed } from './cpu-time.ts';
import { isInstalled, missingNote } from './missing.ts';
import type { Row } from './row.ts';
import { startTlsNginx } from './tls-nginx.ts';

export interface TlsBench {
  readonly program: string;
  readonly dir: string;
  readonly rounds: number;
  log(text: string): void;
}

const HOSTS = 4_000;
const CONCURRENCY = '64';

/** As many TLS hosts as URLs, all of them addresses of 127.0.0.0/8: CPU beside curl. The best round of each counts. */
export async function measureTls(bench: TlsBench): Promise<Row[]> {
  const nginx = await startTlsNginx();
  try {
    const { pathname } = new URL(nginx.url);
    const urls = Array.from(
      { length: HOSTS },
      (_, index) => `https://127.0.${1 + (index >> 8)}.${index & 255}:${nginx.tlsPort}${pathname}`,
    );
    return [await besideCurl(bench, urls)];
  } finally {
    await nginx.close();
  }
}

async function besideCurl({ program, dir, rounds, log }: TlsBench, urls: readonly string[]): Promise<Row> {
  const list = join(dir, 'tls.txt');
  const config = join(dir, 'tls-curl.txt');
  await writeFile(list, urls.map((url) => `${url}\n`).join(''));
  await writeFile(config, urls.map((url) => `url = "${url}"\noutput = /dev/null\n`).join(''));
  const flags = ['-k', '-c', CONCURRENCY, '--no-progress', '-o', join(dir, 'tls-results.txt')];
  const fetch = [process.execPath, program, 'fetch', list, ...flags] as const;
  const curl = ['curl', '-s', '-k', '-Z', '--parallel-max', CONCURRENCY, '-K', config] as const;
  const hasCurl = isInstalled('curl');
  const best = { own: Number.POSITIVE_INFINITY, curl: Number.POSITIVE_INFINITY };
  for (let round = 1; round <= rounds; round += 1) {
    const own = await timed(fetch);
    if (own.exitCode !== 0) throw new Error(`fanout ended with ${own.exitCode}`);
    best.own = Math.min(best.own, own.cpuMs);
    if (hasCurl) best.curl = Math.min(best.curl, (await timed(curl)).cpuMs);
    log(`round ${round}: CPU for each TLS host, fanout ${micros(best.own)}, curl ${micros(best.curl)}`);
  }
  const row = {
    what: `${HOSTS.toLocaleString('en')} TLS hosts, -c ${CONCURRENCY}: CPU for each`,
    figure: micros(best.own),
    target: { is: 'at most', value: 1 } as const,
  };
  if (!hasCurl) return { ...row, missing: missingNote('curl', 'curl') };
  return { ...row, beside: `curl ${micros(best.curl)}`, value: best.own / best.curl };
}

function micros(cpuMs: number): string {
  return `${Math.round((cpuMs * 1000) / HOSTS)}µs`;
}
