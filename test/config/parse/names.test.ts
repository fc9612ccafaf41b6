import { describe, expect, it } from 'vitest';
import { directoryName, fileName, nameTemplate, saveDirectoryName } from '../../../src/config/parse/names.ts';
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

describe('saveDirectoryName', () => {
  it('takes any name of a directory', () => {
    expect(saveDirectoryName.parse('./-')).toBe('./-');
    expect(saveDirectoryName.parse('pages')).toBe('pages');
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
