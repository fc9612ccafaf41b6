import { resolve, sep } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FileNamer } from '../../src/bodies/file-name-template.ts';
import { nameTemplate } from '../../src/config/parse/names.ts';
import { type Job, NAME_FIELDS, type NameTemplate } from '../../src/model/job.ts';
import { fileNameFault } from '../../src/model/safe-name.ts';
import { fetchableUrl } from '../arbitrary/jobs.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText, shortHostileText } from '../arbitrary/texts.ts';

/** Valid templates: fields in any order, with text between them. */
const template: fc.Arbitrary<NameTemplate> = fc
  .tuple(
    fc.shuffledSubarray([...NAME_FIELDS], { minLength: 1 }),
    fc.array(fc.oneof(fc.constantFrom('', '/', '-', '_', '.', 'a/b', 'x.d/', '~', ' '), shortHostileText), {
      minLength: 9,
      maxLength: 9,
    }),
  )
  .map(
    ([fields, texts]) =>
      fields.map((field, index) => `${texts[index]}{${field}}`).join('') + (texts[8] ?? ''),
  )
  .map((text) => {
    try {
      return nameTemplate.parse(text);
    } catch {
      return undefined;
    }
  })
  .filter((parsed) => parsed !== undefined);

const job: fc.Arbitrary<Job> = fc
  .tuple(
    fetchableUrl,
    fc.nat(1000),
    fc.oneof(fc.constant(undefined), hostileText),
    fc.constantFrom({}, {}, { method: 'PUT' }, { body: 'a' }),
  )
  .map(([url, index, id, more]) => ({
    index,
    source: '-',
    line: 1,
    url,
    ...(id === undefined ? {} : { id }),
    ...more,
  }));

/** Two jobs whose URLs differ in little. */
const twins: fc.Arbitrary<readonly [Job, Job]> = fc
  .tuple(
    job,
    job,
    fc.nat(),
    fc.constantFrom(
      '',
      '_',
      '.',
      '~1',
      'A',
      'a',
      '%20',
      '%2F',
      '/',
      '.d',
      '.body',
      '?',
      '#',
      '@',
      '~',
      '?a@',
      '.html',
      '~.html',
      'É',
      '\u0301',
    ),
  )
  .map(([first, other, at, put]): readonly [Job, Job] => {
    const place = 8 + (at % (first.url.length - 7));
    const text = first.url.slice(0, place) + put + first.url.slice(place + (at % 2));
    const url = URL.canParse(text) ? new URL(text).href : other.url;
    return [first, { ...first, url, index: first.index + 1 }];
  })
  .filter(([first, second]) => first.url !== second.url);

const contentType = fc.oneof(
  fc.constantFrom(undefined, 'text/html', 'application/json', 'application/octet-stream'),
  hostileText,
);

/** A name as file systems compare it that ignore case and Unicode forms. */
function folded(name: string): string {
  return name.normalize('NFKD').toUpperCase().normalize('NFKD').toLowerCase();
}

test('a name by any template is valid on every file system, and is in the directory', () => {
  fc.assert(
    fc.property(
      template,
      job,
      fc.integer({ min: 100, max: 999 }),
      contentType,
      (parsed, one, status, type) => {
        const name = new FileNamer({ template: parsed, defaultMethod: 'GET' }).fileNameFor(one, status, type);
        expect(fileNameFault(name)).toBeUndefined();
        expect(resolve('/out', name).startsWith(resolve('/out') + sep)).toBe(true);
        expect(new FileNamer({ template: parsed, defaultMethod: 'GET' }).fileNameFor(one, status, type)).toBe(
          name,
        );
      },
    ),
    runs(300),
  );
});

test('two URLs that differ in little have two names by any template, and neither is a directory of the other', () => {
  fc.assert(
    fc.property(template, twins, contentType, contentType, (parsed, [first, second], ...types) => {
      const namer = new FileNamer({ template: parsed, defaultMethod: 'GET' });
      const names = [first, second].map((one, index) =>
        folded(namer.fileNameFor(one, 200, types[index])),
      ) as [string, string]; // two in, two out
      expect(names[0]).not.toBe(names[1]);
      expect(`${names[0]}/`.startsWith(`${names[1]}/`) || `${names[1]}/`.startsWith(`${names[0]}/`)).toBe(
        false,
      );
    }),
    runs(300),
  );
});
