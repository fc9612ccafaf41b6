import { describe, expect, it } from 'vitest';
import { type Given, refusal, resolve } from './resolve-given.ts';

describe('options that exclude each other', () => {
  it.each<[Given, string]>([
    [{ flags: { head: true, method: 'POST' } }, 'Cannot use --head with --method: give one of the two'],
    [{ flags: { ipv4: true, ipv6: true } }, 'Cannot use --ipv4 with --ipv6: give one of the two'],
    [{ flags: { head: true, data: '' } }, 'Cannot use --head with --data: give one of the two'],
    [{ flags: { json: true, format: 'csv' } }, 'Cannot use --json with --format: give one of the two'],
    [
      { environment: { FANOUT_HEAD: '1', FANOUT_METHOD: 'GET' } },
      'Cannot use FANOUT_HEAD with FANOUT_METHOD: give one of the two',
    ],
    [
      { file: { json: true, format: 'text' } },
      'Cannot use "json" in fanout.config.json with "format" in fanout.config.json: give one of the two',
    ],
  ])('are refused in one place: %j', (given, message) => {
    expect(refusal(given)).toBe(message);
  });

  it('are taken when they agree', () => {
    expect(resolve({ flags: { head: true, method: 'head' } }).method).toBe('HEAD');
    expect(resolve({ flags: { json: true, format: 'jsonl' } }).format).toBe('jsonl');
    expect(resolve({ file: { head: false, method: 'POST', data: 'x' } }).method).toBe('POST');
    expect(resolve({ file: { ipv4: false, ipv6: true } })).toMatchObject({ ipv4: false, ipv6: true });
    expect(resolve({ flags: { quiet: true, silent: true } })).toMatchObject({ quiet: true, silent: true });
  });

  it('follow the layer that wins', () => {
    expect(resolve({ flags: { json: true }, file: { format: 'csv' } }).format).toBe('jsonl');
    expect(resolve({ flags: { format: 'csv' }, file: { json: true } }).format).toBe('csv');
    expect(resolve({ flags: { ipv4: true }, file: { ipv6: true } })).toMatchObject({
      ipv4: true,
      ipv6: false,
    });
    expect(resolve({ flags: { head: true }, file: { method: 'POST', data: 'x' } })).toMatchObject({
      head: true,
      method: 'HEAD',
      data: undefined,
    });
    expect(resolve({ flags: { data: 'x' }, environment: { FANOUT_HEAD: '1' } })).toMatchObject({
      head: false,
      method: 'POST',
      data: 'x',
    });
  });
});
