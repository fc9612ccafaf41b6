import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deadOptions,
  diffOptions,
  feedOptions,
  reportCommandOptions,
  statusOptions,
} from '../../src/config/command-options.ts';
import { InvalidValueError, type Option, type Table } from '../../src/config/option.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { UsageError } from '../../src/model/errors.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText, nearly } from '../arbitrary/texts.ts';
import { UNPRINTABLE } from '../output/hostile.ts';
import { refusal } from './resolve-given.ts';

const table: Table = {
  ...programOptions, ...feedOptions, ...statusOptions, ...deadOptions, ...diffOptions, ...reportCommandOptions,
}; // biome-ignore format: a table

/** What people write for one option or another. */
const WRITTEN = [
  '0', '1', '32', '1.5', '007', '-1', '1e3', '٣', '9007199254740993', '99999999999999999999', '10/s', '30/m', '1.5/h', '500ms', '1.5s', '10S', '2m', '596h', '0.4ms',
  '64kb', '10MB', '1.5gb', '8388607gb', '1k', '200', '2xx', '200-299,304', '299-200', '4xx,network', 'none', 'true', 'no', 'auto', 'jsonl', 'GET', 'post', 'Purge',
  'CONNECT', 'Name: value', 'X-A:', 'authorization: Basic x', 'example.com X-A: b', '[::1]:80 x: y', 'example.com:443:127.0.0.1', '*:80:[::1],1.2.3.4', '[fe80::1%1]:1:::1',
  '127.0.0.1:5353', '[::1]:53', '::1', '1.2.3.4', 'http://user:pass@proxy:3128', 'https://[::1]', 'proxy', 'socks5://x', 'socks4a://me@[::1]:9', 'a:80:b:', '::[::1]:443', 'nats://u:p@h:1,h2', 'tls://token@[::1]', 'nats://a@b',
  '{host}{path}', 'a/{index}-{id}{ext}', '{hash}', '../{path}', 'junit=report.xml', 'csv=-', 'me:secret', '(a|b)+', '[', 'run-1', 'urls.txt', './out', '', ' ', '%', 'a%zz:b@c',
]; // biome-ignore format: a table

const text = nearly(WRITTEN);
const anything = fc.oneof(
  { weight: 6, arbitrary: text },
  { weight: 2, arbitrary: fc.array(text, { maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: fc.dictionary(hostileText, fc.oneof(text, fc.array(text, { maxLength: 2 })), { maxKeys: 3 }),
  },
  { weight: 1, arbitrary: fc.oneof(fc.integer(), fc.double(), fc.boolean()) },
  { weight: 1, arbitrary: fc.anything() },
);

/** The parsed value, or the requirement with which the parser rejects it. */
function tried({ parser }: Option<unknown, unknown>, value: unknown): { readonly taken: unknown } | string {
  try {
    return { taken: parser.parse(value) };
  } catch (error) {
    if (error instanceof InvalidValueError) return error.message;
    throw error;
  }
}

/** A value as it can be compared: sets of status codes and expressions as their text. */
function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify({ value }, (_, item: unknown) =>
      item instanceof RegExp || Object.hasOwn(Object(Object.getPrototypeOf(Object(item))), 'has')
        ? String(item)
        : item,
    ),
  );
}

describe.each(Object.entries(table))('the parser of %s', (_, entry) => {
  it('parses any value, or rejects it with a requirement', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const outcome = tried(entry, value);
        if (typeof outcome === 'string')
          expect(outcome).toMatch(/^(must|port|header|unknown|range|write|HOST|"\w+" of)\b.{5,}/s);
      }),
      runs(150),
    );
  });

  it('reads back what it prints', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const outcome = tried(entry, value);
        if (typeof outcome === 'string') return;
        const printed = entry.parser.print(outcome.taken);
        if (printed === undefined) return;
        // As it would come out of a configuration file.
        const again = tried(entry, JSON.parse(JSON.stringify(printed)));
        expect(comparable(again)).toEqual(comparable(outcome));
      }),
      runs(150),
    );
  });
});

describe('any value of any option', () => {
  it('is rejected with a printable sentence, if it is rejected', () => {
    const keys = Object.keys(programOptions);
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        anything,
        fc.constantFrom('flags', 'file'),
        (key, value, source) => {
          let message: string;
          try {
            message = refusal({ [source]: { [key]: value } });
          } catch (error) {
            if (error instanceof UsageError || !String(error).startsWith('Error: taken:')) throw error;
            return; // it is accepted
          }
          expect(message).toMatch(/^(invalid value|cannot use|[^:]* needs) /);
          expect(message).not.toMatch(UNPRINTABLE);
        },
      ),
      runs(500),
    );
  });

  it.each(
    ['header', 'user', 'proxy', 'data', 'hostHeader', 'headerFor', 'broker'].filter(
      (key) => key in programOptions,
    ),
  )('of %s is not shown in a message if it is a secret', (key) => {
    const around = fc.oneof(
      fc.constantFrom('Authorization Bearer ', 'x', 'me:', 'http://me:', 'nats://', 'example.com A: '),
      hostileText,
    );
    fc.assert(
      // A word in front may be shown: a name, or a host.
      fc.property(
        around.filter((text) => text.trim() !== ''),
        hostileText,
        (before, after) => {
          let message = '';
          try {
            message = refusal({ flags: { [key]: [`${before} hunter2${after}`] } });
          } catch (error) {
            if (error instanceof UsageError || !String(error).startsWith('Error: taken:')) throw error;
          }
          expect(message).not.toContain('hunter2');
        },
      ),
      runs(200),
    );
  });
});
