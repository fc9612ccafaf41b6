import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MetricsServer, type MetricsServerOptions } from '../../src/cluster/metrics.ts';
import { UsageError } from '../../src/model/errors.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { type InProcessRun, runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { get } from '../origin/get.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { exposition } from './exposition.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsIn } from './urls-in.ts';

const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const SLOW = { killAfterMs: 60_000 };
const ANY_PORT = ['--metrics', '127.0.0.1:0'];

async function urlOf(run: InProcessRun): Promise<string> {
  const said = await run.stderr.sees(/metrics are at \S+\n/);
  return /metrics are at (\S+)/.exec(said)?.[1] ?? '';
}

async function scrape(url: string): Promise<Record<string, number>> {
  const { status, headers, text } = await get(url);
  expect([status, headers['content-type']]).toEqual([200, CONTENT_TYPE]);
  return Object.fromEntries(exposition(text));
}

describe('--metrics', { timeout: 90_000 }, () => {
  it('shows the work of a worker and a collector during the run', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const on = ['--broker', broker.url, '--run', 'm'];
    const list = [...urls(origin, '/ok', 28), `${origin.url}/gate/g`, `${origin.url}/status/404`];
    await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '10', '--ack-wait', '1s']);
    const first = startCli(['cluster', 'work', ...on, '--lanes', '1', '-c', '1'], SLOW);
    await origin.waiting('g', 1);
    first.child.kill('SIGKILL');
    const work = startInProcess(['cluster', 'work', ...on, ...ANY_PORT]);
    const store = ['--manifest', join(cwd, 'store.jsonl')];
    const collect = startInProcess(['cluster', 'collect', ...on, ...store, ...ANY_PORT]);
    await origin.waiting('g', 2);
    const [worker, collector] = [await urlOf(work), await urlOf(collect)];
    await expect
      .poll(() => scrape(collector), { timeout: 20_000 })
      .toMatchObject({
        'fanout_run_urls_done{verdict="ok"}': 20,
        'fanout_run_urls_done{verdict="failed"}': 0,
        fanout_collect_urls_total: 20,
        fanout_run_urls: 30,
        fanout_run_chunks: 3,
        fanout_run_chunks_done: 2,
        fanout_run_oldest_unfinished_chunk: 2,
        fanout_run_complete: 0,
        fanout_dead_urls: 0,
        'fanout_queue_chunks{state="waiting"}': 0,
        'fanout_queue_chunks{state="under_way"}': 1,
        'fanout_queue_chunks{state="committed"}': 2,
      });
    await expect
      .poll(() => scrape(worker))
      .toMatchObject({
        fanout_broker_connected: 1,
        'fanout_work_urls_total{verdict="failed",kind="status"}': 1,
        'fanout_work_urls_total{verdict="failed",kind="timeout"}': 0,
        fanout_work_requests_in_flight: 1,
        fanout_work_chunks_in_hand: 1,
        fanout_work_chunks_redelivered_total: 1,
        'fanout_work_hosts{state="known"}': 1,
        'fanout_work_hosts{state="parked"}': 0,
      });
    const at = await scrape(worker);
    const urlsOk = at['fanout_work_urls_total{verdict="ok",kind="none"}'] ?? 0;
    expect(at.fanout_work_request_duration_seconds_count).toBe(urlsOk + 1);
    expect(at['fanout_work_request_duration_seconds_bucket{le="+Inf"}']).toBe(urlsOk + 1);
    expect(at.fanout_work_attempts_total).toBe(urlsOk + 1);
    expect(at.fanout_work_received_bytes_total).toBeGreaterThanOrEqual(2 * urlsOk);
    for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']) {
      expect(at).toHaveProperty(name);
    }
    expect(Object.keys(at).find((name) => name.startsWith('fanout_build_info'))).toMatch(
      /version="\d.*node_version="v\d.*role="work",run="m"/,
    );
    expect(Object.keys(at).join()).not.toContain('127.0.0.1');
    origin.open('g');
    expect([(await work.done).code, (await collect.done).code]).toEqual([0, 1]);
  });

  it('shows the progress of feed, and at once that the broker is away', async () => {
    const broker = await aNatsServer();
    const list = Array.from({ length: 25 }, (_, n) => `http://127.0.0.1:1/${n % 20}`);
    const bounded = ['--chunk', '5', '--max-queued', '3', '--unique'];
    const on = ['--broker', broker.url, '--run', 'f', ...bounded, ...ANY_PORT];
    const feed = startInProcess(['cluster', 'feed', await aFile(list), ...on]);
    const url = await urlOf(feed);
    await expect
      .poll(() => scrape(url), { timeout: 20_000 })
      .toMatchObject({
        'fanout_queue_chunks{state="waiting"}': 3,
        fanout_feed_chunks_sent_total: 3,
        fanout_feed_urls_sent_total: 15,
        fanout_feed_urls_read_total: 25,
        fanout_feed_urls_skipped_total: 5,
        fanout_broker_connected: 1,
      });
    await broker.kill();
    await feed.stderr.sees('lost the connection');
    const away = await scrape(url);
    const probe = (path: string) => get(new URL(url).origin, { path });
    expect(await probe('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await probe('/readyz')).toMatchObject({ status: 503, text: 'not connected to the broker\n' });
    expect(away).toMatchObject({ fanout_broker_connected: 0, fanout_feed_urls_sent_total: 15 });
    expect(away).not.toHaveProperty('fanout_queue_chunks{state="waiting"}');
    feed.kill('SIGTERM');
    expect((await feed.done).code).toBe(143);
  });

  it('shows all of it for cluster fetch, which ends despite slow clients', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const list = [...urls(origin, '/ok', 30), `${origin.url}/gate/g`];
    const store = ['--manifest', join(await tempDir(), 'store.jsonl')];
    const on = ['--broker', broker.url, '--chunk', '10', '--json', ...store];
    const fetch = startInProcess(['cluster', 'fetch', await aFile(list), ...on, '--metrics', '0']);
    const url = await urlOf(fetch);
    await origin.waiting('g', 1);
    await expect
      .poll(() => scrape(url), { timeout: 20_000 })
      .toMatchObject({
        fanout_feed_urls_sent_total: 31,
        'fanout_work_urls_total{verdict="ok",kind="none"}': 30,
        fanout_run_chunks_done: 3,
        fanout_broker_connected: 1,
      });
    for (const text of ['GET /met', 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000)]) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
      onTestFinished(() => void socket.destroy());
      socket.write(text);
    }
    await scrape(url);
    expect(await get(new URL(url).origin, { path: '/readyz' })).toMatchObject({ status: 200, text: 'ok\n' });
    fetch.kill('SIGTERM'); // it finishes the chunks that it has
    await fetch.stderr.sees('SIGTERM');
    const draining = await get(new URL(url).origin, { path: '/readyz' });
    expect(draining).toMatchObject({ status: 503, text: 'draining\n' });
    origin.open('g');
    const { code, stdout } = await fetch.done;
    expect([code, urlsIn(stdout)]).toEqual([143, list.toSorted()]);
  });

  it('is not an option of a plain fetch', async () => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', '--metrics', '0']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('use "fanout cluster fetch"')]);
  });

  it.each(['feed', 'work', 'collect', 'fetch'])(
    'of %s fails if the port is taken or the address is invalid',
    async (command) => {
      const origin = await anOrigin();
      const { port } = new URL(origin.url);
      const args = [
        'cluster',
        command,
        ...(/^f/.test(command) ? ['http://127.0.0.1:1/'] : []),
        '--broker',
        'nats://127.0.0.1:1',
      ];
      const taken = await runInProcess([...args, '--run', 'r', '--metrics', port]);
      expect([taken.code, taken.stderr]).toEqual([
        2,
        `error: cannot serve metrics at 127.0.0.1:${port}: address already in use\n`,
      ]);
      const foreign = await runInProcess([...args, '--run', 'r', '--metrics', '192.0.2.1:9464']);
      expect([foreign.code, foreign.stderr]).toEqual([2, expect.stringContaining('not available')]);
      const none = await runInProcess([...args, '--run', 'r', '--metrics', 'everywhere']);
      expect([none.code, none.stderr]).toEqual([
        2,
        expect.stringMatching(/^error: invalid value "everywhere" for --metrics: must be a port/),
      ]);
    },
  );
});

async function aServer(more: Partial<MetricsServerOptions> = {}): Promise<MetricsServer> {
  const page = { render: async () => '# EOF\n', contentType: CONTENT_TYPE };
  const options = { host: '127.0.0.1', port: 0, ...page, unready: () => undefined };
  const server = await MetricsServer.listen({ ...options, ...more });
  onTestFinished(() => server.close());
  return server;
}

describe('MetricsServer', () => {
  it('responds to GET and HEAD of /metrics, with or without a query', async () => {
    const { url } = await aServer();
    const got = await get(url);
    expect([got.status, got.text, got.headers['content-type']]).toEqual([200, '# EOF\n', CONTENT_TYPE]);
    expect(await get(`${url}?name=x`)).toMatchObject({ status: 200, text: '# EOF\n' });
    const head = await get(url, { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '6']);
  });

  it('responds to probes: 503 of /readyz with the reason', async () => {
    let fault: string | undefined = 'starting';
    const { url } = await aServer({ unready: () => fault });
    const probe = (path: string, method = 'GET') => get(new URL(url).origin, { path, method });
    expect(await probe('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await probe('/readyz')).toMatchObject({ status: 503, text: 'starting\n' });
    expect(await probe('/readyz', 'HEAD')).toMatchObject({ status: 503, text: '' });
    expect((await probe('/readyz', 'POST')).status).toBe(404);
    fault = undefined;
    expect(await probe('/readyz?verbose')).toMatchObject({ status: 200, text: 'ok\n' });
  });

  it('responds with 404 to everything else', async () => {
    const { url } = await aServer();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await get(url, { method, body: 'x' })).status).toBe(404);
    }
    for (const path of ['/', '/metrics/', '/metricsx', '//metrics', '/%6detrics']) {
      expect((await get(new URL(url).origin, { path })).status).toBe(404);
    }
  });

  it('listens on IPv6', async () => {
    const { url } = await aServer({ host: '::1' });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+\/metrics$/);
    expect((await get(url)).status).toBe(200);
  });

  it('says why it cannot listen', async () => {
    const { port } = new URL((await aServer()).url);
    const again = aServer({ port: Number(port) });
    await expect(again).rejects.toThrow(UsageError);
    await expect(again).rejects.toThrow(`cannot serve metrics at 127.0.0.1:${port}: address already in use`);
  });

  it('renders one page for simultaneous requests', async () => {
    let pages = 0;
    let finish = (_: string) => {};
    const render = () => {
      pages += 1;
      return new Promise<string>((resolve) => {
        finish = resolve;
      });
    };
    const { url } = await aServer({ render });
    const sockets = [1, 2, 3].map(() => connect(Number(new URL(url).port), '127.0.0.1'));
    for (const socket of sockets) {
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      onTestFinished(() => void socket.destroy());
    }
    // The response to a fourth request shows that the server has received the three before it.
    await get(`${url}x`);
    finish('page\n');
    for (const socket of sockets) expect(String((await once(socket, 'data'))[0])).toContain('page\n');
    expect(pages).toBe(1);
  });

  it('closes its connections when it is closed', { timeout: 5000 }, async () => {
    const server = await aServer({ render: () => new Promise(() => {}) });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await get(`${server.url}x`);
    server.close();
    await closed;
  });
});
