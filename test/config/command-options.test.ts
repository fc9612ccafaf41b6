import { describe, expect, it } from 'vitest';
import { collectOptions, feedOptions, workOptions } from '../../src/config/command-options.ts';
import type { Table } from '../../src/config/option.ts';
import { programOptions } from '../../src/config/program-options.ts';

describe('options of the cluster commands', () => {
  it('are all known to fetch, with which they share a configuration file', () => {
    const keys = [feedOptions, workOptions, collectOptions].flatMap((part: Table) =>
      Object.keys(part).filter((key) => part[key]?.notInFile !== true),
    );
    expect(keys.filter((key) => !Object.hasOwn(programOptions, key))).toEqual([]);
  });
});
