import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const fileOf = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8');

/** The instructions of the Dockerfile, each on one line, by stage. */
async function stages(): Promise<string[][]> {
  const lines = (await fileOf('Dockerfile'))
    .replaceAll(/ *\\\n */g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const found: string[][] = [];
  for (const line of lines) {
    if (line.startsWith('FROM ')) found.push([]);
    found.at(-1)?.push(line);
  }
  return found;
}

test('the image runs fanout itself, which gets the signals, as a user without rights', async () => {
  const image = (await stages()).at(-1) ?? [];
  // The form with brackets starts no shell, which would keep the signals to itself.
  expect(image).toContain('ENTRYPOINT ["fanout"]');
  expect(image.indexOf('USER node')).toBeGreaterThan(image.findLastIndex((line) => line.startsWith('RUN ')));
  expect(JSON.parse(await fileOf('package.json')).bin).toEqual({ fanout: 'bin/fanout.js' });
});

test('the image has the packed package and what it needs, and nothing that is only for development', async () => {
  const [build = [], image = []] = await stages();
  expect(build).toContain('RUN npm ci --no-audit --no-fund && npm pack --ignore-scripts');
  expect(image.filter((line) => line.startsWith('COPY '))).toEqual([
    'COPY --from=build /build/fanout-*.tgz /tmp/fanout.tgz',
  ]);
  const ignored = (await fileOf('.dockerignore')).split('\n');
  expect(ignored).toEqual(expect.arrayContaining(['.git', 'node_modules', 'dist']));
});

test('the image has the optional packages, in versions that fanout takes', async () => {
  const image = (await stages()).at(-1) ?? [];
  const install = image.find((line) => line.startsWith('RUN npm install ')) ?? '';
  const { peerDependencies } = JSON.parse(await fileOf('package.json'));
  for (const [name, range] of Object.entries<string>(peerDependencies)) {
    const version = range.startsWith('^') ? range.slice(1).replace(/\..*/, '') : range;
    expect(install.split(' ')).toContain(`${name}@${version}`);
  }
});

test('the working directory belongs to the user, so that a volume there can be written', async () => {
  const image = (await stages()).at(-1) ?? [];
  const owned = image.findIndex((line) => /install --directory --owner=node --group=node \/data$/.test(line));
  expect(owned).toBeGreaterThan(-1);
  expect(image.indexOf('USER node')).toBeGreaterThan(owned);
  expect(image).toContain('WORKDIR /data');
});

test('the image has a version of Node that fanout runs on', async () => {
  const [, oldest = ''] = /^>=(\d+)/.exec(JSON.parse(await fileOf('package.json')).engines.node) ?? [];
  for (const [from = ''] of await stages()) {
    const [, version] = /^FROM node:(\d+)-slim/.exec(from) ?? [];
    expect(Number(version)).toBeGreaterThanOrEqual(Number(oldest));
  }
});
