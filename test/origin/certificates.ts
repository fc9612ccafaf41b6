import { generate } from 'selfsigned';

/** A certificate and its private key in PEM, both made for this test run. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** What a server certificate says. */
export interface CertificateWish {
  /** Names and addresses it is for; `localhost`, `127.0.0.1` and `::1` when left out. */
  readonly names?: readonly string[];
  /** Days from now from which on it holds (-1). */
  readonly validFromDays?: number;
  /** Days from now until which it holds (30). */
  readonly validToDays?: number;
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '::1'];
const DAY_MS = 86_400_000;
const KEYS = { keyType: 'ec', algorithm: 'sha256' } as const; // a P-256 key takes a millisecond

let authority: Promise<Credentials> | undefined;

/** The test CA: made at first use, the same for the whole process. */
export function testCa(): Promise<Credentials> {
  authority ??= generate([{ name: 'commonName', value: 'fanout test CA' }], {
    ...KEYS,
    ...validity({}),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  }).then(credentials);
  return authority;
}

/** A server certificate, signed by the test CA. */
export async function serverCertificate(wish: CertificateWish = {}): Promise<Credentials> {
  return issue('fanout test server', wish, await testCa());
}

/** A server certificate that nobody but itself vouches for. */
export function selfSignedCertificate(): Promise<Credentials> {
  return issue('fanout self-signed', {});
}

/** A client certificate, signed by the test CA. */
export async function clientCertificate(): Promise<Credentials> {
  return issue('fanout test client', {}, await testCa());
}

/** A certificate with a key that is too short for OpenSSL, though it can be read. */
export async function weakCertificate(): Promise<Credentials> {
  const weak = { keyType: 'rsa', keySize: 512, algorithm: 'sha256' } as const;
  return credentials(await generate([{ name: 'commonName', value: 'fanout weak' }], weak));
}

async function issue(commonName: string, wish: CertificateWish, ca?: Credentials): Promise<Credentials> {
  const altNames = (wish.names ?? LOCAL_NAMES).map((name) =>
    /^[\d.]+$|:/.test(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
  );
  const made = await generate([{ name: 'commonName', value: commonName }], {
    ...KEYS,
    ...validity(wish),
    ...(ca && { ca }),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  return credentials(made);
}

function validity({ validFromDays = -1, validToDays = 30 }: CertificateWish) {
  const now = Date.now();
  return {
    notBeforeDate: new Date(now + validFromDays * DAY_MS),
    notAfterDate: new Date(now + validToDays * DAY_MS),
  };
}

function credentials(made: { cert: string; private: string }): Credentials {
  return { cert: made.cert, key: made.private };
}
