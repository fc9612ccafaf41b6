import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/** An nginx with one worker and a file of 1,000 bytes, fast enough not to be what is measured. */
export interface Nginx {
  /** Of the file; any query may be added. */
  readonly url: string;
  /**
   * The file again, below which any path leads to it: `/small/NAME`; `/big/NAME`, of 50 MB; and `/text/NAME`, of 1 MB, also as
   * `/gzip/NAME` and `/br/NAME`, which are compressed.
   */
  readonly origin: string;
  /** Where it speaks TLS, if it has a certificate. */
  readonly tlsPort: number;
  /** Requests served so far. */
  requests(): Promise<number>;
  close(): Promise<void>;
}

const BODY_BYTES = 1_000;
const BIG_BYTES = 50_000_000;
const TEXT_LINES = 20_000;
const START_LIMIT_MS = 5_000;

export interface NginxOptions {
  /** Address to listen on (127.0.0.1); with 0.0.0.0 every address of 127.0.0.0/8 leads to it, and no other. */
  readonly address?: string;
  /** Files with a certificate and its key. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Starts nginx in a directory of its own, on a free port. */
export async function startNginx({ address = '127.0.0.1', tls }: NginxOptions = {}): Promise<Nginx> {
  const dir = await mkdtemp(join(tmpdir(), 'fanout-bench-nginx-'));
  await chmod(dir, 0o755); // the worker of an nginx that root starts is another user
  const [port, tlsPort] = [await freePort(), await freePort()];
  await mkdir(join(dir, 'www'));
  await writeFile(join(dir, 'www', 'file'), 'x'.repeat(BODY_BYTES), { mode: 0o644 });
  await writeFile(join(dir, 'www', 'big-file'), Buffer.alloc(BIG_BYTES, 'y'), { mode: 0o644 });
  const text = Array.from(
    { length: TEXT_LINES },
    (_, line) => `line ${line} of a text, ${line * 7919}\n`,
  ).join('');
  await writeFile(join(dir, 'www', 'text-file'), text, { mode: 0o644 });
  await writeFile(join(dir, 'www', 'gzip-file'), gzipSync(text), { mode: 0o644 });
  await writeFile(join(dir, 'www', 'br-file'), brotliCompressSync(text), { mode: 0o644 });
  const secure =
    tls === undefined
      ? ''
      : `listen ${address}:${tlsPort} ssl backlog=4096; ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`;
  const listen = `listen ${address}:${port} backlog=4096; ${secure}`;
  await writeFile(join(dir, 'nginx.conf'), configuration(dir, listen));
  const child = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], {
    stdio: 'inherit',
  });
  const closed = once(child, 'close');
  const nginx: Nginx = {
    url: `http://127.0.0.1:${port}/file`,
    origin: `http://127.0.0.1:${port}`,
    tlsPort,
    // less the request that asks
    requests: async () => (await countOf(`http://127.0.0.1:${port}/count`)) - 1,
    close: async () => {
      child.kill('SIGTERM');
      await closed;
      await rm(dir, { recursive: true, force: true });
    },
  };
  try {
    await untilItAnswers(nginx);
  } catch (error) {
    await nginx.close();
    throw error;
  }
  return nginx;
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function untilItAnswers(nginx: Nginx): Promise<void> {
  const end = performance.now() + START_LIMIT_MS;
  for (;;) {
    try {
      await nginx.requests();
      return;
    } catch (error) {
      if (performance.now() > end) throw new Error('nginx does not answer', { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The third number of the line below `server accepts handled requests`. */
async function countOf(url: string): Promise<number> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  const count = /^ \d+ \d+ (\d+) $/m.exec(await response.text())?.[1];
  if (count === undefined) throw new Error('nginx does not tell how many requests it served');
  return Number(count);
}

function configuration(dir: string, listen: string): string {
  return `
daemon off;
worker_processes 1;
pid ${dir}/pid;
events { worker_connections 4096; }
http {
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000000;
  open_file_cache max=10;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server {
    ${listen}
    allow 127.0.0.0/8;
    deny all;
    root ${dir}/www;
    location = /count { stub_status; }
    location /small/ { rewrite ^ /file break; }
    location /big/ { rewrite ^ /big-file break; }
    location /text/ { rewrite ^ /text-file break; }
    location /gzip/ { rewrite ^ /gzip-file break; add_header Content-Encoding gzip; }
    location /br/ { rewrite ^ /br-file break; add_header Content-Encoding br; }
  }
}
`;
}
