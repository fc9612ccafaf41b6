import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { get } from '../origin/get.ts';
import { refusedPort } from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';
import { startProcess } from '../origin/run-cli.ts';
import { LIST_PORTS, startDemoHosts } from './demo-hosts.ts';
import { listForPorts } from './list-for-ports.ts';

const list = await readFile(new URL('../../fixtures/urls.txt', import.meta.url), 'utf8');

test('listForPorts() changes every port of the list and nothing else', () => {
  const changed = listForPorts(list, [1001, 1002, 1003, 1004]);
  expect(changed).not.toMatch(/127\.0\.0\.1:87(87|88|89|90)/);
  expect(changed.replaceAll(/:100(\d)/g, (_, digit) => `:${8786 + Number(digit)}`)).toBe(list);
});

test('listForPorts() does not change other ports', () => {
  expect(listForPorts('http://127.0.0.1:9999/', [1, 2, 3, 4])).toBe('http://127.0.0.1:9999/');
});

test('the list names the ports of the hosts and no others', () => {
  const ports = [...list.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  expect([...new Set(ports)].sort()).toEqual([...LIST_PORTS]);
});

test('the hosts take free ports when one of the wanted ports is taken', async () => {
  const squatter = await startOrigin();
  onTestFinished(() => squatter.close());
  const free = await refusedPort();
  const hosts = await startDemoHosts([free.port, squatter.port, 0, 0]);
  onTestFinished(() => hosts.close());
  expect(hosts.ports).toHaveLength(4);
  expect(hosts.ports).not.toContain(squatter.port);
  const [quick, slow, shaky, ruin] = hosts.ports;
  for (const port of [quick, slow, shaky]) await get(`http://127.0.0.1:${port}/ok`);
  expect(hosts.seen()).toEqual({ requests: 3, connections: 3 });
  await expect(get(`http://127.0.0.1:${ruin}/`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('the demo shows each URL and the summary, and ends with 0 because its failures are expected', async () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const run = startProcess(process.execPath, ['--import', 'tsx', 'test/demo/demo.ts'], {
    cwd,
    killAfterMs: 40_000,
  });
  const { code, stdout, stderr } = await run.done;
  expect(stdout.match(/^(OK|FAIL) /gm)).toHaveLength(60);
  expect(stderr).toContain('Done: 50 succeeded, 10 failed');
  expect(stdout).toContain('Exit code 1: at least one URL failed.');
  expect(code).toBe(0);
}, 45_000);
