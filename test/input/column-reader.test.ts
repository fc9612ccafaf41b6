import { describe, expect, it } from 'vitest';
import { type Cell, type Column, ColumnReader } from '../../src/input/column-reader.ts';
import { LineSplitter } from '../../src/input/line-splitter.ts';
import { InputError } from '../../src/model/errors.ts';

function read(text: string | Buffer, column: Column, chunkBytes = 1e9): Cell[] {
  const splitter = new LineSplitter();
  const reader = new ColumnReader(column, 'list.csv');
  const bytes = Buffer.from(text);
  const cells: Cell[] = [];
  let number = 1;
  const add = (lines: ReturnType<LineSplitter['push']>): void => {
    cells.push(...reader.push(lines, number));
    number += lines.length;
  };
  for (let at = 0; at < bytes.length; at += chunkBytes)
    add(splitter.push(bytes.subarray(at, at + chunkBytes)));
  add(splitter.end());
  return [...cells, ...reader.end()];
}

/** The texts of the cells; a fault in brackets. */
function texts(text: string | Buffer, column: Column): string[] {
  return read(text, column).map((cell) => ('fault' in cell ? `(${cell.fault})` : cell.text));
}

describe('ColumnReader', () => {
  it.each([1, 2, 7, 1e9])('reads quoted cells over several lines, in chunks of %i bytes', (chunkBytes) => {
    const table =
      '\ufeffid,"the ""url""",note\r\n1,http://a/,x\r\n\r\n2,"http://b/?a,b","two\r\nlines, ""quoted"""\r\n3,http://c/,\r\n';
    expect(read(table, 'the "url"', chunkBytes)).toEqual([
      { line: 2, text: 'http://a/' },
      { line: 4, text: 'http://b/?a,b' },
      { line: 6, text: 'http://c/' },
    ]);
  });

  it.each([
    ['a tab', 'id\turl\n1\thttp://a/,b;c'],
    ['a comma', 'id,url\n1,http://a/;b'],
    ['a semicolon', 'id;"a,b";url\n1;x;http://a/,b'],
  ])('finds %s as the delimiter in the first row', (_, table) => {
    expect(texts(table, 'url')).toHaveLength(1);
    expect(texts(table, 'url')[0]).toMatch(/^http:\/\/a\//);
  });

  it('finds the name of a column in any case, unless there is one in the same case', () => {
    expect(texts('URL , x\nhttp://a/,1', 'url')).toEqual(['http://a/']);
    expect(texts('URL,url\n1,http://a/', 'url')).toEqual(['http://a/']);
  });

  it('counts columns from 1, and skips a first row without a URL in it', () => {
    expect(texts('id,link\n1,http://a/\n2,http://b/', 2)).toEqual(['http://a/', 'http://b/']);
    expect(texts('1,http://a/\n2,http://b/', 2)).toEqual(['http://a/', 'http://b/']);
    expect(texts('a.example\nword', 1)).toEqual(['a.example', 'word']);
  });

  it('reads cells that are not UTF-8 percent-encoded', () => {
    expect(texts(Buffer.from('url,name\nhttp://a/\xe9,Ren\xe9\n', 'latin1'), 'url')).toEqual([
      'http://a/%E9',
    ]);
  });

  it.each([
    ['a row that is too short', 'id,url\n1', 'has 1 of the 2 columns up to that of --column', 2],
    ['text after a closing quote', 'id,url\n1,"http://a/"x', 'there is text after a closing quote', 'url'],
    ['a quote that is not closed', 'id,url\n1,"http://a/\n2,x', 'a quote is not closed', 'url'],
    ['a long line', `id,url\n${'x'.repeat(2 ** 20 + 1)}`, 'must not be longer than 1 MiB', 'url'],
    ['a long quoted cell', `id,url\n"${'xxxxxxx\n'.repeat(2 ** 17)}`, 'must not be longer than 1 MiB', 'url'],
  ] as const)('makes a fault of %s', (_, table, reason, column) => {
    expect(texts(table, column)[0]).toBe(`(invalid row: ${reason})`);
  });

  it('continues after a row that is not valid', () => {
    expect(texts('id,url\n1,"a"x\n2,http://b/', 'url')).toEqual([expect.stringMatching(/^\(/), 'http://b/']);
  });

  it.each([
    ['id,link', 'no column "url" in "list.csv" (line 1): the first row has id, link', 'url'],
    ['\n\nid,urls', 'no column "url" in "list.csv" (line 3): did you mean "urls"?', 'url'],
    ['id,link,x\n1,http://a/,y', 'no column 7 in "list.csv": the first row (line 1) has 3 columns', 7],
    ['\nhttp://a/', 'no column 2 in "list.csv": the first row (line 2) has 1 column', 2],
  ] as const)(
    'throws an InputError if the first row %j does not have the column',
    (table, message, column) => {
      expect(() => read(table, column)).toThrow(new InputError(message));
    },
  );
});
