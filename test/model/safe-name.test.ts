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
    ['', 'it must not be empty'],
    ['/etc/passwd', 'it must be relative'],
    ['c:/x', 'it must be relative'],
    ['../x', 'the parts "." and ".."'],
    ['a/../../x', 'the parts "." and ".."'],
    ['a/./x', 'the parts "." and ".."'],
    ['a//x', 'one "/" between its parts'],
    ['a/', 'one "/" between its parts'],
    ['a\\b', 'it must hold none of'],
    ['a\0b', 'it must hold none of'],
    ['a\nb', 'it must hold none of'],
    ['a?b', 'it must hold none of'],
    ['a\u202egpj.exe', 'no invisible characters'],
    ['a\u200b', 'no invisible characters'],
    ['a\ud800', 'no invisible characters'],
    ['a/NUL', 'a device on Windows'],
    ['con.txt', 'a device on Windows'],
    ['COM¹.txt', 'a device on Windows'],
    ['aux .c', 'a device on Windows'],
    ['x.part', 'it must not end in .part'],
    ['x.PART.json', 'it must not end in .part'],
    ['a./b', 'end in a space or a dot'],
    ['a /b', 'end in a space or a dot'],
    [' a', 'may start with a space'],
    ['e\u0301', 'Unicode NFC'],
    ['x'.repeat(241), 'longer than 240 bytes'],
    ['é'.repeat(121), 'longer than 240 bytes'],
    [`${'x/'.repeat(350)}y`, '700 bytes long at most'],
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
