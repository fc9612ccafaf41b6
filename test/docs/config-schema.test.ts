import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { toConfigFile } from '../../src/config/option-sources.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { resolve } from '../config/resolve-given.ts';
import { configSchema } from './config-schema.ts';
import { CONFIG_SCHEMA } from './pages.ts';

interface Property {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly pattern?: string;
}

const schema: { readonly properties: Readonly<Record<string, Property>> } = JSON.parse(
  configSchema(programOptions),
);

/** Whether a value is what a property of the schema may have. */
function isValid({ type, enum: words, minimum = -1, pattern = '' }: Property, value: unknown): boolean {
  if (typeof value === 'string' && !new RegExp(pattern).test(value)) return false;
  if (words !== undefined) return words.includes(value);
  if (typeof value === 'number' && value < minimum) return false;
  const kinds = [
    Array.isArray(value) ? 'array' : typeof value,
    ...(Number.isInteger(value) ? ['integer'] : []),
  ];
  return [type].flat().some((one) => kinds.includes(String(one)));
}

function invalidKeys(config: object): readonly string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const property = schema.properties[key];
    return property !== undefined && isValid(property, value) ? [] : [key];
  });
}

describe('fanout.config.schema.json', () => {
  it('matches the tables of options', async () => {
    const isRenewed =
      JSON.stringify(JSON.parse(await readFile(CONFIG_SCHEMA, 'utf8'))) === JSON.stringify(schema);
    const advice =
      'fanout.config.schema.json is out of date: run "npm run manual", and commit what it has changed';
    expect(isRenewed, advice).toBe(true);
  });

  it('has every option that a file may have, with its help, and no other', () => {
    const keys = Object.entries(programOptions).flatMap(([key, option]) =>
      'notInFile' in option ? [] : [key],
    );
    expect(new Set(Object.keys(schema.properties))).toEqual(new Set(['$schema', ...keys]));
    expect(schema.properties.retries?.description).toBe(programOptions.retries.help);
  });

  it('accepts what --print-config prints', () => {
    const flags = {
      header: ['a: 1'],
      saveDir: 'out',
      maxFailures: '3',
      rate: '10/s',
      deadline: '1h',
      accept: ['200', '404'],
      report: ['junit=r.xml'],
      blocked: 'warn',
      broker: 'nats://h',
      chunk: '7',
    };
    const config = JSON.parse(toConfigFile(programOptions, resolve({ flags }), { mask: true }));
    expect(Object.keys(config)).toEqual(expect.arrayContaining(Object.keys(flags)));
    expect(invalidKeys(config)).toEqual([]);
  });

  it('rejects values of another type', () => {
    const wrong = {
      retries: 'two',
      quiet: 'yes',
      blocked: 'maybe',
      output: 1,
      timeout: true,
      accept: {},
      nope: 1,
    };
    expect(invalidKeys(wrong)).toEqual(Object.keys(wrong));
  });
});
