import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import {
  clientCertificate,
  selfSignedCertificate,
  serverCertificate,
  testCa,
} from '../origin/certificates.ts';
import { get } from '../origin/get.ts';
import { type CliResult, runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer, type NatsServer } from './nats-server.ts';
import { anOperator } from './operator.ts';

const SLOW = { killAfterMs: 60_000 };
const REFUSED = 'it refuses the credentials';

type CliOutput = Pick<CliResult, 'code' | 'stdout' | 'stderr'>;

async function aTlsServer(names: readonly string[], flags: readonly string[] = []): Promise<NatsServer> {
  const { cert, key } = await serverCertificate({ names });
  const directory = await tempDir();
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key);
  return aNatsServer(['--tls', '--tlscert', certFile, '--tlskey', keyFile, ...flags]);
}

function status(url: string, ...more: readonly string[]) {
  return runInProcess(['cluster', 'status', '--run', 'r', '--broker', url, ...more]);
}

describe('a broker with TLS', { timeout: 60_000 }, () => {
  it('is trusted by the certificate that --broker-ca names, and by no other', async () => {
    const broker = await aTlsServer(['127.0.0.1', 'localhost']);
    const ca = await aFile([(await testCa()).cert], 'ca.pem');
    const other = await aFile([(await selfSignedCertificate()).cert], 'other.pem');
    const right = ['--broker', broker.url, '--run', 'r', '--broker-ca', ca];
    const fed = await runInProcess(['cluster', 'feed', await aFile(['http://127.0.0.1:1/']), ...right]);
    expect([fed.code, fed.stderr]).toEqual([0, expect.stringContaining('1 URLs in 1 chunks')]);
    expect((await status(broker.url.replace('nats:', 'tls:'), '--broker-ca', ca)).code).toBe(0);
    for (const more of [[], ['--broker-ca', other]]) {
      const wrong = await status(broker.url, ...more);
      expect([wrong.code, wrong.stderr]).toEqual([
        2,
        expect.stringMatching(/^error: cannot connect to the broker at 127\S+: unable to verify/),
      ]);
    }
    const none = await status(broker.url, '--broker-ca', join(await tempDir(), 'none.pem'));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('for --broker-ca: no such file')]);
  });

  it('must be the one that was asked for', async () => {
    const broker = await aTlsServer(['localhost']);
    const ca = await aFile([(await testCa()).cert], 'ca.pem');
    const byName = await status(`tls://localhost:${broker.port}`, '--broker-ca', ca);
    expect(byName.stderr).toContain('the broker has no run');
    const byAddress = await status(broker.url, '--broker-ca', ca);
    expect([byAddress.code, byAddress.stderr]).toEqual([
      2,
      expect.stringContaining("does not match certificate's altnames"),
    ]);
  });

  it('is not spoken to without TLS where TLS was asked for', async () => {
    const { code, stderr } = await status((await aNatsServer()).url.replace('nats:', 'tls:'));
    expect([code, stderr]).toEqual([2, expect.stringContaining("server does not support 'tls'")]);
  });
});

describe('a broker that wants client certificates', { timeout: 60_000 }, () => {
  it('gets the one of --broker-cert, with its key', async () => {
    const ca = await aFile([(await testCa()).cert], 'ca.pem');
    const broker = await aTlsServer(['127.0.0.1'], ['--tlsverify', '--tlscacert', ca]);
    const mine = await clientCertificate();
    const [cert, key, both] = [
      await aFile([mine.cert], 'cert.pem'),
      await aFile([mine.key], 'key.pem'),
      await aFile([mine.cert, mine.key], 'both.pem'),
    ];
    for (const more of [
      ['--broker-cert', cert, '--broker-key', key],
      ['--broker-cert', both],
    ]) {
      const accepted = await status(broker.url, '--broker-ca', ca, ...more);
      expect(accepted.stderr).toContain('the broker has no run "r"');
    }
    const without = await status(broker.url, '--broker-ca', ca, '--wait', '0');
    expect(without.stderr).toMatch(/^error: cannot connect to the broker at 127\S+: .*--broker-cert/);
    expect(without.code).toBe(69);
  });

  it('is not asked when the certificate, its key or the nkey cannot be used', async () => {
    const [mine, other] = [await clientCertificate(), await clientCertificate()];
    const [cert, key, wrongKey] = [
      await aFile([mine.cert], 'cert.pem'),
      await aFile([mine.key], 'key.pem'),
      await aFile([other.key], 'other.pem'),
    ];
    const text = await aFile(['not PEM'], 'text.pem');
    const none = join(await tempDir(), 'none.pem');
    for (const [flags, message] of [
      [['--broker-cert', cert], 'for --broker-cert: must contain a PEM private key'],
      [['--broker-key', key], '--broker-key needs --broker-cert: name the certificate of the key'],
      [
        ['--broker-cert', cert, '--broker-key', wrongKey],
        'for --broker-key: the private key must match the certificate',
      ],
      [['--broker-cert', text, '--broker-key', key], 'for --broker-cert: must contain a PEM certificate'],
      [['--broker-cert', none, '--broker-key', key], 'for --broker-cert: no such file'],
      [['--broker-cert', cert, '--broker-key', none], 'for --broker-key: no such file'],
      [['--broker-ca', text], 'for --broker-ca: must contain a PEM certificate'],
      [['--broker-nkey', text], 'for --broker-nkey: must have the seed of a user'],
      [['--broker-nkey', none], 'for --broker-nkey: no such file'],
      [['--broker-nkey', text, '--broker-creds', text], 'two ways to log in'],
      [['--broker-inbox', 'a b'], 'for --broker-inbox: must be'],
      [['--broker-inbox', 'a.>'], 'for --broker-inbox: must be'],
      [['--broker-inbox', ''], 'for --broker-inbox: must be'],
    ] as const) {
      const { code, stderr } = await status('nats://127.0.0.1:1', ...flags);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});

describe('credentials of a broker', { timeout: 90_000 }, () => {
  it('come from a file of NATS credentials', async () => {
    const [operator, stranger] = [await anOperator(), await anOperator()];
    const broker = await aNatsServer(['-c', operator.config]);
    const creds = await aFile([operator.credentials], 'me.creds');
    const on = ['--broker', broker.url, '--run', 'r', '--broker-creds', creds];
    const fed = await runInProcess(['cluster', 'feed', await aFile(['http://127.0.0.1:1/']), ...on]);
    expect([fed.code, fed.stderr]).toEqual([0, expect.stringContaining('1 URLs in 1 chunks')]);
    const others = await aFile([stranger.credentials], 'other.creds');
    const wrong = await status(broker.url, '--broker-creds', others);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining(REFUSED)]);
    const without = await status(broker.url);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining(REFUSED)]);
    const broken = await status(
      broker.url,
      '--broker-creds',
      await aFile([operator.seed.slice(0, -9)], 'broken.creds'),
    );
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringContaining('parse credentials')]);
    const shown = await runInProcess(['cluster', 'status', ...on, '--print-config']);
    for (const { stdout, stderr } of [fed, wrong, without, broken, shown]) {
      expect(stdout + stderr).not.toContain(operator.seed.slice(0, 20));
    }
  });

  it('come from the seed of an nkey, and responses arrive below --broker-inbox', async () => {
    const [mine, other] = [createUser(), createUser()];
    const permissions = '{ publish: ">", subscribe: "_INBOX_me.>" }';
    const config = await aFile(
      [`authorization { users: [ { nkey: ${mine.getPublicKey()}, permissions: ${permissions} } ] }`],
      'nkey.conf',
    );
    const broker = await aNatsServer(['-c', config]);
    const [seed, wrong] = await Promise.all(
      [mine, other].map((user) => aFile(['# a user', new TextDecoder().decode(user.getSeed())], 'me.nk')),
    );
    const accepted = await status(broker.url, '--broker-nkey', seed ?? '', '--broker-inbox', '_INBOX_me');
    expect(accepted.stderr).toContain('the broker has no run "r"');
    const refused = await status(broker.url, '--broker-nkey', wrong ?? '');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(REFUSED)]);
    const elsewhere = await status(broker.url, '--broker-nkey', seed ?? '');
    expect([elsewhere.code, elsewhere.stderr]).toEqual([2, expect.stringContaining('--broker-inbox')]);
    for (const { stdout, stderr } of [accepted, refused, elsewhere]) {
      expect(stdout + stderr).not.toContain(new TextDecoder().decode(mine.getSeed()));
    }
  });

  it.each([
    ['a token', ['--auth', 's3cr3t/t+ken'], 's3cr3t%2Ft%2Bken'],
    ['a user and a password', ['--user', 'me', '--pass', 's3cr3t:@pass'], 'me:s3cr3t%3A%40pass'],
  ])('are %s in the URL', async (_, flags, userinfo) => {
    const broker = await aNatsServer(flags);
    const [wrong, right] = ['me:wr0ng', userinfo].map((text) => broker.url.replace('//', `//${text}@`));
    const refused = await status(wrong ?? '');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(REFUSED)]);
    const accepted = await runInProcess(['cluster', 'status', '--run', 'r'], {
      env: { FANOUT_BROKER: right ?? '' },
    });
    expect([accepted.code, accepted.stderr]).toEqual([
      2,
      expect.stringContaining('the broker has no run "r"'),
    ]);
    expect(refused.stderr + accepted.stderr).not.toMatch(/s3cr3t|wr0ng/);
  });

  it('are nowhere to be seen in a whole run, its losses of the broker and its files', async () => {
    const broker = await aNatsServer(['--user', 'me', '--pass', 's3cr3t']);
    const [origin, cwd] = [await anOrigin(), await tempDir()];
    const env = { FANOUT_BROKER: broker.url.replace('//', '//me:s3cr3t@'), FANOUT_RUN: 'r' };
    const at = { ...SLOW, cwd, env };
    const list = await aFile([...urls(origin, '/ok', 9), `${origin.url}/gate/g`]);
    const fed = await runCli(['cluster', 'feed', list, '--chunk', '3', '--ack-wait', '2s'], at);
    const work = startCli(['cluster', 'work', '--metrics', '0'], at);
    const collect = startCli(
      ['cluster', 'collect', '--json', '--report', 'html=r.html', '--manifest', 'r.jsonl', '--metrics', '0'],
      at,
    );
    await origin.waiting('g', 1);
    await collect.stdout.sees('"ok":true');
    const metrics = /http:\S+/.exec(await work.stderr.sees(/metrics are at \S+\n/))?.[0] ?? '';
    const page = (await get(metrics)).text;
    await broker.kill();
    for (const run of [work, collect]) await run.stderr.sees('lost the connection to the broker');
    await broker.start();
    for (const run of [work, collect]) await run.stderr.sees('connected to the broker');
    origin.open('g');
    const ended: CliOutput[] = [fed, await work.done, await collect.done];
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    for (const args of [
      ['cluster', 'status'],
      ['cluster', 'status', '--json'],
      ['cluster', 'dead'],
      ['cluster', 'dead', 'retry'],
    ]) {
      ended.push(await runInProcess(args, { env }));
    }
    for (const command of ['fetch', 'feed', 'work', 'collect', 'status', 'dead', 'purge']) {
      ended.push(await runInProcess(['cluster', command, '--print-config'], { env }));
    }
    ended.push(await runInProcess(['cluster', 'purge'], { env }));
    for (const { code, stdout, stderr } of ended) {
      expect([code, stdout + stderr]).toEqual([0, expect.not.stringMatching(/s3cr3t|me:/)]);
    }
    const names = ['r.jsonl', 'r.html'];
    const texts = await Promise.all(names.map((name) => readFile(join(cwd, name), 'utf8')));
    expect(texts.join() + page).not.toContain('s3cr3t');
  });
});
