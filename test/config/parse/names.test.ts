import { describe, expect, it } from 'vitest';
import { directoryName, fileName, nameTemplate } from '../../../src/config/parse/names.ts';
import { refused } from './refused.ts';

describe('fileName and directoryName', () => {
  it('take any name', () => {
    expect(fileName.parse('a b')).toBe('a b');
    expect(directoryName.parse('../out dir')).toBe('../out dir');
  });

  it.each(['', 'a\0b', 7, 1, true, null, ['a'], {}])('refuse %j', (value) => {
    expect(refused(fileName, value)).toBe('it must be the name of a file');
    expect(refused(directoryName, value)).toBe('it must be the name of a directory');
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
    ['{nope}', 'it knows no {nope}, its fields are {host} {path} {index} {id} {hash} {ext} {status} {query}'],
    ['{Host}', 'it knows no {Host}, its'],
    ['a{}', 'it knows no {}, its'],
    ['{host', 'it knows no {host, its'],
    ['host}', 'it knows no host}, its'],
    ['{{host}}', 'it knows no {, its'],
    ['{toString}', 'it knows no {toString}, its'],
    ['{id}{id}', 'it must hold {id} once'],
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
    expect(refused(nameTemplate, template)).toMatch(
      /^it must be a relative name that every file system takes/,
    );
  });

  it.each(['', 'x'.repeat(121), 7, null, true, ['{id}'], {}])('refuses %j', (value) => {
    expect(refused(nameTemplate, value)).toMatch(/^it must be a name of 1 to 120 characters/);
  });
});
