import fc from 'fast-check';
import { FAILURE_KINDS } from '../../src/model/failure.ts';
import { FILE_NOTES, type Result } from '../../src/model/result.ts';
import { fetchableUrl, urlText } from './jobs.ts';
import { hostileText } from './texts.ts';

const url = fc.oneof(urlText, fetchableUrl, hostileText);
const count = fc.oneof(fc.nat(3), fc.maxSafeNat());
const ms = fc.oneof(fc.nat(100), fc.double({ min: 0, max: 1e12, noNaN: true }));
const failure = fc.record(
  { kind: fc.constantFrom(...FAILURE_KINDS), message: hostileText, code: hostileText },
  { requiredKeys: ['kind', 'message'] },
);

const base = {
  index: count,
  source: hostileText,
  line: count,
  url,
  method: fc.oneof(fc.constantFrom('GET', 'POST'), hostileText),
  attempts: count,
  redirects: fc.array(fc.record({ status: fc.integer({ min: 100, max: 999 }), url }), { maxLength: 3 }),
  bytes: count,
  truncated: fc.boolean(),
  // Years of four digits.
  startedAt: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
  durationMs: ms,
  totalMs: ms,
};

const optional = {
  input: hostileText,
  id: hostileText,
  finalUrl: url,
  status: fc.integer({ min: 100, max: 999 }),
  contentType: hostileText,
  address: hostileText,
  title: hostileText,
  tls: fc.record(
    { protocol: hostileText, cipher: hostileText, issuer: hostileText, daysLeft: fc.integer() },
    { requiredKeys: ['protocol', 'cipher'] },
  ),
  ttfbMs: ms,
  body: fc.record(
    {
      bytes: count,
      path: hostileText,
      sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
      text: hostileText,
      base64: fc.base64String(),
    },
    { requiredKeys: ['bytes'] },
  ),
  file: fc.constantFrom(...FILE_NOTES),
  baseline: fc.constantFrom('new', 'known', 'fixed'),
  badRuns: count,
  lenient: fc.constant(true),
  decidedBy: fc.constant('GET'),
};

const requiredKeys = [
  'index', 'source', 'line', 'url', 'method', 'attempts', 'redirects', 'bytes', 'truncated', 'startedAt', 'durationMs', 'totalMs', 'ok',
] as const; // biome-ignore format: a table

const ok = fc.record(
  { ...base, ...optional, ok: fc.constant(true as const), warning: failure },
  { requiredKeys: [...requiredKeys] },
);
const failed = fc.record(
  { ...base, ...optional, ok: fc.constant(false as const), failure },
  { requiredKeys: [...requiredKeys, 'failure'] },
);

/** Results of every form, with hostile text. */
export const anyResult: fc.Arbitrary<Result> = fc.oneof(
  ok as fc.Arbitrary<Result>,
  failed as fc.Arbitrary<Result>,
); // `record` makes every key optional
