import { expect, test } from 'vitest';
import { DnsFailureMonitor } from '../../src/http/dns/lookup.ts';

/** What is said when look-ups end with these codes, one name each. */
function said(codes: readonly (string | undefined)[], nameOf = (index: number) => `${index}.test`): string[] {
  const messages: string[] = [];
  const trouble = new DnsFailureMonitor({
    warn: (message) => messages.push(message),
    servers: () => ['192.0.2.53', '[::1]:5353'],
  });
  for (const [index, code] of codes.entries()) trouble.record(nameOf(index), code);
  return messages;
}
const times = (count: number, code: string | undefined) => Array.from({ length: count }, () => code);

test('a resolver that fails for most names is told once, with its address and the reason', () => {
  expect(said(times(50, 'ETIMEOUT'))).toEqual([
    'most names cannot be looked up (name servers: 192.0.2.53, [::1]:5353): ETIMEOUT, the name server does not answer in time; --dns-server asks another one',
  ]);
});

test('it is told at the fifth name', () => {
  expect(said(times(4, 'EREFUSED'))).toEqual([]);
  expect(said(times(5, 'EREFUSED'))).toHaveLength(1);
});

test('it is told as soon as more names fail than are answered', () => {
  const mixed = [...times(10, undefined), ...times(10, 'ESERVFAIL')];
  expect(said(mixed)).toEqual([]);
  expect(said([...mixed, 'ESERVFAIL'])).toHaveLength(1);
});

test.each(['ENOTFOUND', 'ENODATA', 'EBADNAME'])('%s is an answer', (code) => {
  expect(said(times(50, code))).toEqual([]);
});

test('one name that fails again and again is not most names', () => {
  expect(said(times(50, 'ESERVFAIL'), () => 'a.test')).toEqual([]);
});
