import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { classifyError } from '../../src/http/classify-error.ts';
import { diagnoseConnectError } from '../../src/http/connector.ts';
import { ConnectError, ResourceExhaustedError } from '../../src/http/network-errors.ts';
import { startOrigin } from '../origin/origin.ts';
import { startProcess } from '../origin/run-cli.ts';
import { running, startClient } from './client.ts';

/** A shell on Windows knows no limits of open files. */
const hasLimits = process.platform !== 'win32';

function judged(error: ConnectError, address: string): Promise<ConnectError | ResourceExhaustedError> {
  return new Promise((resolve) => diagnoseConnectError(error, address, resolve));
}

test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])('%s of a connect is a shortage', async (code) => {
  const error = await judged(new ConnectError('connect', code, 'words'), '192.0.2.1');
  expect(error).toBeInstanceOf(ResourceExhaustedError);
  expect(error).toMatchObject({ kind: 'connect', code, message: 'words' });
});

test('EADDRNOTAVAIL is one for an address that this machine has a way to: its ports are used up', async () => {
  const error = await judged(new ConnectError('connect', 'EADDRNOTAVAIL', 'words'), '127.0.0.1');
  expect(error).toBeInstanceOf(ResourceExhaustedError);
});

test('EADDRNOTAVAIL is a failure of the host for an address that no local address can reach', async () => {
  const error = new ConnectError('connect', 'EADDRNOTAVAIL', 'words');
  expect(await judged(error, 'fe80::1')).toBe(error); // no machine can tell on which of its links
});

test.each([
  ['connect', 'ECONNREFUSED'],
  ['tls', 'EMFILE'],
] as const)('a %s failure with %s stays what it is', async (kind, code) => {
  const error = new ConnectError(kind, code, 'words');
  expect(await judged(error, '127.0.0.1')).toBe(error);
});

test('a shortage is told apart from the failures of hosts', () => {
  const progress = { hasHead: false, isFresh: true };
  const { isResourceExhausted, failure } = classifyError(
    new ResourceExhaustedError('EMFILE', 'words'),
    progress,
  );
  expect([isResourceExhausted, failure]).toEqual([
    true,
    { kind: 'connect', code: 'EMFILE', message: 'words' },
  ]);
  expect(
    classifyError(new ConnectError('connect', 'ECONNREFUSED', 'words'), progress).isResourceExhausted,
  ).toBe(undefined);
});

test.each(['ENOBUFS', 'ENOMEM'])('%s of a connection that was made has cost that connection', (code) => {
  const error = Object.assign(new Error('words'), { code });
  expect(classifyError(error, { hasHead: false, isFresh: true })).toMatchObject({
    failure: { kind: 'reset', code },
    isRetryable: true,
  });
});

test('a name that could not be looked up for want of descriptors is looked up again the next time', async () => {
  const origin = await running(startOrigin());
  let lookUps = 0;
  const { send } = await startClient({
    lookUp: async () => {
      lookUps += 1;
      if (lookUps === 1) throw new ResourceExhaustedError('EMFILE', 'words');
      return ['127.0.0.1'];
    },
  });
  const url = `http://name.test:${origin.port}/ok`;
  expect((await send(url)).failed?.isResourceExhausted).toBe(true);
  expect((await send(url)).response?.status).toBe(200);
});

const SCRIPT = fileURLToPath(new URL('out-of-descriptors.ts', import.meta.url));

test.runIf(hasLimits)(
  'what fails for want of descriptors is called a shortage, whatever the system calls it',
  async () => {
    const command = `ulimit -n 100; exec "$0" --import tsx "${SCRIPT}"`;
    const { stdout, stderr } = await startProcess('sh', ['-c', command, process.execPath]).done;
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      connect: 'ResourceExhaustedError EMFILE',
      'hosts file': 'ResourceExhaustedError EMFILE',
      'name of the name servers': 'ResourceExhaustedError EMFILE',
      'name of the system': 'ResourceExhaustedError EMFILE',
      'unknown name afterwards': 'ConnectError ENOTFOUND',
    });
  },
);
