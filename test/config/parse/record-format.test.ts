import { describe, expect, it } from 'vitest';
import { lineTemplate, recordKeys } from '../../../src/config/parse/record-format.ts';

describe('recordKeys', () => {
  it.each([
    ['headers', ['headers']],
    ['headers, input', ['headers', 'input']],
    [['input'], ['input']],
    ['headers,address,tls,title,input', ['headers', 'address', 'tls', 'title', 'input']],
  ])('reads %j', (value, keys) => {
    expect(recordKeys.parse(value)).toEqual(keys);
    expect(recordKeys.parse(recordKeys.print(recordKeys.parse(value)))).toEqual(keys);
  });

  it.each([[''], ['headers,'], ['header'], ['TLS'], [[]], [[1]], [1], [null]])('rejects %j', (value) => {
    expect(() => recordKeys.parse(value)).toThrow(
      /^must be a list of headers, address, tls, title, input, with commas between them$/,
    );
  });
});

describe('lineTemplate', () => {
  it('reads text, fields and escapes, and prints them back', () => {
    const parts = lineTemplate.parse('{status}\\t{url} a\\\\n{{id}\\n');
    expect(parts).toEqual([
      ...[{ field: 'status' }, { text: '\t' }, { field: 'url' }, { text: ' a\\n{' }, { field: 'id' }],
      { text: '\n' },
    ]);
    expect(lineTemplate.parse(lineTemplate.print(parts))).toEqual(parts);
  });

  it('takes up to 1000 characters', () => {
    expect(lineTemplate.parse('x'.repeat(1000))).toEqual([{ text: 'x'.repeat(1000) }]);
  });

  it.each([
    ['', 'must be text of 1 to 1000 characters'],
    ['x'.repeat(1001), 'must be text of 1 to 1000 characters'],
    [5, 'must be text of 1 to 1000 characters'],
    ['{statsu}', 'must not have the unknown field {statsu}: did you mean {status}?'],
    ['{}', 'must not have the unknown field {}: the fields are index, source, '],
    ['{constructor}', 'must not have the unknown field {constructor}: '],
  ])('rejects %j', (value, message) => {
    expect(() => lineTemplate.parse(value)).toThrow(message);
  });
});
