import { describe, expect, it } from 'vitest';
import { collectOptions, feedOptions, workOptions } from '../../src/config/cluster-command-options.ts';
import { clusterOptions } from '../../src/config/cluster-options.ts';
import { threadOptions } from '../../src/config/network-options.ts';
import type { Table } from '../../src/config/option.ts';
import { outputOptions, reportOptions } from '../../src/config/output-options.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { runOptions } from '../../src/config/run-options.ts';

const table: Table = programOptions;

describe('the tables of options', () => {
  it('have no key in common', () => {
    const parts = [runOptions, threadOptions, clusterOptions, outputOptions, reportOptions];
    expect(Object.keys(programOptions)).toHaveLength(parts.flatMap((part) => Object.keys(part)).length);
  });

  it.each(Object.entries(table))('%s is its long flag in camel case', (key, { flags }) => {
    const [, name = ''] = /--(?:no-)?([\w-]+)/.exec(flags) ?? [];
    expect(name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())).toBe(key);
  });

  it('of several machines have nothing that a shared file may have and fetch does not know', () => {
    const keys = [feedOptions, workOptions, collectOptions].flatMap((part: Table) =>
      Object.keys(part).filter((key) => part[key]?.notInFile !== true),
    );
    expect(keys.filter((key) => !Object.hasOwn(table, key))).toEqual([]);
  });

  it('give each short flag once', () => {
    const short = Object.values(table).flatMap(({ flags }) => /^-\w/.exec(flags) ?? []);
    expect(new Set(short).size).toBe(short.length);
  });

  it.each(Object.entries(table))('the parser of %s reads back the default that it prints', (_, entry) => {
    if (entry.default === undefined) return;
    const printed = entry.parser.print(entry.default);
    expect(printed).toBeDefined();
    expect(entry.parser.print(entry.parser.parse(printed))).toEqual(printed);
  });
});
