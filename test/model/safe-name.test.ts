import { describe, expect, it } from 'vitest';
import { fileNameFault, safePart } from '../../src/model/safe-name.ts';

describe('fileNameFault()', () => {
  it.each([
    'a.html',
    'A/B c/d.tar.gz',
    'é/日本.html',
    '.hidden',
    'a..b',
    'x'.repeat(240),
    'console.log',
    'com10',
    'a+[b]=!@$~',
  ])('accepts %s', (name) => {
    expect(fileNameFault(name)).toBeUndefined();
  });

  it.each([
    ['', 'must not be empty'],
    ['/etc/passwd', 'must be relative'],
    ['c:/x', 'must be relative'],
    ['../x', 'the parts "." and ".."'],
    ['a/../../x', 'the parts "." and ".."'],
    ['a/./x', 'the parts "." and ".."'],
    ['a//x', 'one "/" between its parts'],
    ['a/', 'one "/" between its parts'],
    ['a\\b', 'must not contain <'],
    ['a\0b', 'must not contain <'],
    ['a\nb', 'must not contain <'],
    ['a?b', 'must not contain <'],
    ['a\u202egpj.exe', 'invisible characters'],
    ['a\u200b', 'invisible characters'],
    ['a\ud800', 'invisible characters'],
    ['a/NUL', 'a Windows device'],
    ['con.txt', 'a Windows device'],
    ['COM¹.txt', 'a Windows device'],
    ['aux .c', 'a Windows device'],
    ['x.part', 'must not end in .part'],
    ['x.PART.json', 'must not end in .part'],
    ['a./b', 'end in a space or a dot'],
    ['a /b', 'end in a space or a dot'],
    [' a', 'start with a space'],
    ['e\u0301', 'Unicode NFC'],
    ['x'.repeat(241), 'longer than 240 bytes'],
    ['é'.repeat(121), 'longer than 240 bytes'],
    [`${'x/'.repeat(350)}y`, 'at most 700 bytes'],
  ])('refuses %j', (name, fault) => {
    expect(fileNameFault(name)).toContain(fault);
  });

  it('accepts what safePart() makes, for any text', () => {
    for (const text of [
      '..',
      '',
      ' ',
      'con',
      'nul.x',
      'a/b',
      'a.',
      '\0',
      'x.part',
      'e\u0301 ',
      'x'.repeat(240),
      '.'.repeat(50),
      '😀 .',
    ]) {
      expect([text, fileNameFault(safePart(text))]).toEqual([text, undefined]);
    }
  });

  it('is fast for a name of a megabyte', () => {
    expect(fileNameFault(`a${' '.repeat(1_000_000)}b`)).toBeDefined();
    expect(safePart(`a${'.'.repeat(1_000_000)}b`).length).toBe(1000);
  });
});
