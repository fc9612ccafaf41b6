import { describe, expect, it } from 'vitest';
import {
  checksumFile,
  cookies,
  directoryName,
  fileName,
  nameTemplate,
  netrcFile,
  runName,
  saveDirectoryName,
  socketPath,
} from '../../../src/config/parse/names.ts';
import { refused } from './refused.ts';

describe('fileName and directoryName', () => {
  it('take any name', () => {
    expect(fileName.parse('a b')).toBe('a b');
    expect(directoryName.parse('../out dir')).toBe('../out dir');
  });

  it.each(['', 'a\0b', 7, 1, true, null, ['a'], {}])('refuse %j', (value) => {
    expect(refused(fileName, value)).toBe('must be the name of a file');
    expect(refused(directoryName, value)).toBe('must be the name of a directory');
  });
});

describe('checksumFile', () => {
  it.each(['SHA256SUMS', './-', 'x/dev/y', 'a.gz.txt'])('takes %s', (name) => {
    expect(checksumFile.parse(name)).toBe(name);
  });

  it.each([
    ['', 'must be the name of a file'],
    ['-', 'must be the name of a file'],
    ['/dev/stdout', 'must be the name of a file'],
    ['sums.GZ', 'must not end in .gz, which sha256sum cannot read'],
  ])('refuses %j', (value, requirement) => {
    expect(refused(checksumFile, value)).toBe(requirement);
  });
});

describe('socketPath', () => {
  it('takes up to 107 bytes', () => {
    expect(socketPath.parse('x'.repeat(107))).toBe('x'.repeat(107));
    expect(refused(socketPath, 'é'.repeat(54))).toBe('must be at most 107 bytes, the limit of the system');
    expect(refused(socketPath, '')).toBe('must be the name of a file');
  });
});

describe('cookies', () => {
  it.each<[unknown, string | false]>([
    ['jar.txt', 'jar.txt'],
    [false, false],
    ['false', false],
  ])('are read from %j as %j', (value, parsed) => {
    expect(cookies.parse(value)).toBe(parsed);
    expect(cookies.parse(cookies.print(parsed))).toBe(parsed);
  });

  it.each(['', true, 1, null])('are not read from %j', (value) => {
    expect(refused(cookies, value)).toBe('must be the name of a file');
  });
});

describe('netrcFile', () => {
  it.each<[unknown, string | true | undefined]>([
    ['netrc', 'netrc'],
    [true, true],
    ['true', true],
    [false, undefined],
    ['false', undefined],
  ])('reads %j as %j', (value, parsed) => {
    expect(netrcFile.parse(value)).toBe(parsed);
    expect(netrcFile.print(parsed)).toBe(parsed);
  });

  it.each(['', 1, null])('refuses %j', (value) => {
    expect(refused(netrcFile, value)).toBe('must be the name of a file');
  });
});

describe('runName', () => {
  it.each(['r', 'Run-2026_1', 'x'.repeat(64)])('takes %s', (name) => {
    expect(runName.parse(name)).toBe(name);
    expect(runName.print(name)).toBe(name);
  });

  // It is a token of a NATS subject, where a dot, `*` and `>` have a meaning.
  it.each(['', 'x'.repeat(65), 'a.b', 'a*', '>', 'a b', 'é', '\na', 'a\n', 7, null])(
    'refuses %j',
    (value) => {
      expect(refused(runName, value)).toBe('must be 1 to 64 letters, digits, dashes and underscores');
    },
  );
});

describe('saveDirectoryName', () => {
  it('takes any name of a directory', () => {
    expect(saveDirectoryName.parse('./-')).toBe('./-');
    expect(saveDirectoryName.parse('pages')).toBe('pages');
    expect(saveDirectoryName.parse('./http://a')).toBe('./http://a');
  });

  it.each([
    ['-', 'must be the name of a directory; --body writes a page to standard output'],
    ['https://example.com/', 'must be the name of a directory, which comes before the URL'],
    ['HTTP://example.com/', 'must be the name of a directory, which comes before the URL'],
    ['', 'must be the name of a directory'],
  ])('refuses %j', (value, message) => {
    expect(refused(saveDirectoryName, value)).toBe(message);
  });
});

describe('nameTemplate', () => {
  it('reads text and fields in turn', () => {
    expect(nameTemplate.parse('a/{id}-{index}{ext}')).toEqual([
      { text: 'a/' },
      { field: 'id' },
      { text: '-' },
      { field: 'index' },
      { field: 'ext' },
    ]);
  });

  it.each([
    '{host}{path}',
    '{path}',
    '{host}/{path}',
    'x{path}',
    '{hash}',
    'Pages/{index}.html',
    '{status}/{query}~{id}',
    `${'a/'.repeat(59)}aa`,
  ])('prints %s as it was given', (template) => {
    expect(nameTemplate.print(nameTemplate.parse(template))).toBe(template);
  });

  it.each([
    [
      '{nope}',
      'unknown field {nope}; the fields are {host} {path} {index} {id} {hash} {ext} {status} {query}',
    ],
    ['{Host}', 'unknown field {Host}; the'],
    ['a{}', 'unknown field {}; the'],
    ['{host', 'unknown field {host; the'],
    ['host}', 'unknown field host}; the'],
    ['{{host}}', 'unknown field {; the'],
    ['{toString}', 'unknown field {toString}; the'],
    ['{id}{id}', 'must contain {id} only once'],
  ])('refuses %s', (template, requirement) => {
    expect(refused(nameTemplate, template)).toContain(requirement);
  });

  it.each([
    '/{host}',
    '{host}/',
    '../{host}',
    '{host}/../{index}',
    'a//{id}',
    './{id}',
    'a\\{id}',
    'C:{id}',
    'a\0{id}',
    'a\n',
    'con/{id}',
    'con{path}y',
    '..{path}',
    'a./{id}',
    '{index}.part',
    '~/a?',
  ])('refuses %j, which is not a name below a directory', (template) => {
    expect(refused(nameTemplate, template)).toMatch(/^must be a relative path that is valid/);
  });

  it.each(['', 'x'.repeat(121), 7, null, true, ['{id}'], {}])('refuses %j', (value) => {
    expect(refused(nameTemplate, value)).toMatch(/^must be a name of 1 to 120 characters/);
  });
});
