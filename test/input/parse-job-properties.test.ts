import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExpectation } from '../../src/config/expectations.ts';
import { jobText, type ParsedJob, parseLine } from '../../src/input/parse-job.ts';
import { encodeRequest } from '../../src/output/failed-list.ts';
import { jobObject, urlText } from '../arbitrary/jobs.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';
import { UNPRINTABLE } from '../output/hostile.ts';

const options = { parseExpectation };

/** Checks what must be true of the job of every line. */
function check(fields: ParsedJob): void {
  const { url, invalid } = fields;
  if (invalid === undefined) {
    const { protocol, username, password, href } = new URL(url);
    expect([protocol === 'http:' || protocol === 'https:', username, password, href]).toEqual([
      true,
      '',
      '',
      url,
    ]);
    return;
  }
  expect(invalid).toMatch(/^(invalid|unknown key) .+/);
  expect(invalid).not.toMatch(UNPRINTABLE);
  expect(url).toMatch(/^\S{1,2000}$/);
  expect(url).not.toMatch(UNPRINTABLE);
  expect(
    Object.keys(fields).filter((key) => !['url', 'input', 'id', 'invalid', 'given'].includes(key)),
  ).toEqual([]);
}

test('any text is a job, or an invalid job with a reason', () => {
  fc.assert(
    fc.property(
      fc.oneof(hostileText, urlText),
      fc.constantFrom(undefined, 'http', 'https'),
      (line, defaultScheme) => {
        const text = jobText(line);
        if (text !== undefined) check(parseLine(text, { ...options, defaultScheme }));
      },
    ),
    runs(1000),
  );
});

test('any JSON value is a job, or an invalid job with a reason', () => {
  const json = fc.oneof({ weight: 5, arbitrary: jobObject }, { weight: 1, arbitrary: fc.jsonValue() });
  fc.assert(
    fc.property(json, (value) => check(parseLine(JSON.stringify(value), options))),
    runs(1000),
  );
});

test('JSON that is cut off anywhere is an invalid job with a reason', () => {
  fc.assert(
    fc.property(jobObject, fc.nat(), (value, at) => {
      const text = JSON.stringify(value);
      const cut = parseLine(text.slice(0, 1 + (at % (text.length - 1))), options);
      check(cut);
      expect(cut.invalid).toBeDefined();
    }),
    runs(100),
  );
});

test('a job is the same after it was encoded for another machine and parsed again', () => {
  fc.assert(
    fc.property(jobObject, (value) => {
      const first = parseLine(JSON.stringify(value), options);
      if (first.invalid !== undefined) return;
      const job = { index: 0, source: '-', line: 1, ...first };
      const again = parseLine(JSON.stringify(encodeRequest(job)), options);
      expect(again).toEqual(first);
    }),
    runs(1000),
  );
});

test('a password in a line is never shown, whatever surrounds it', () => {
  const near = fc.oneof(
    fc.string({ maxLength: 8 }),
    hostileText.map((text) => text.slice(0, 8)),
  );
  const scheme = fc.constantFrom('http://', 'https://', 'ftp://', 'http:/', 'https:', '//', 'ht tp://', '');
  fc.assert(
    fc.property(
      scheme,
      near,
      near,
      fc.constantFrom('example.com/', 'host:99999', 'a b', '[::1', ''),
      (start, user, more, host) => {
        const line = jobText(
          `${start}${user.replace(/[\\/?#\s"'{@:]/g, '')}:hunter2${more.replace(/\s/g, '')}@${host}`,
        );
        if (line === undefined) return;
        const { url, invalid } = parseLine(line, options);
        expect(`${url} ${invalid}`).not.toContain('hunter2');
      },
    ),
    runs(1000),
  );
});
