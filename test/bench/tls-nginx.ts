import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverCertificate } from '../origin/certificates.ts';
import { type Nginx, startNginx } from './nginx.ts';

/** Starts nginx at every address of 127.0.0.0/8, with a new certificate for its TLS port. */
export async function startTlsNginx(): Promise<Nginx> {
  const dir = await mkdtemp(join(tmpdir(), 'fanout-bench-tls-'));
  const { cert, key } = await serverCertificate();
  const tls = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  await writeFile(tls.cert, cert);
  await writeFile(tls.key, key);
  const nginx = await startNginx({ address: '0.0.0.0', tls });
  return {
    ...nginx,
    close: async () => {
      await nginx.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
