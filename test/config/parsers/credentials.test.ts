import { describe, expect, it } from 'vitest';
import { credentials } from '../../../src/config/parse/headers.ts';
import { refused } from './refused.ts';

describe('credentials', () => {
  it.each(['me:pw', 'me:', ':pw', ':', 'me:p:w:', 'mé:pässwörd€', ' me : pw '])(
    'takes %j as it is',
    (text) => {
      expect(credentials.parse(text)).toBe(text);
      expect(credentials.print(credentials.parse(text))).toBe(text);
    },
  );

  it.each(['me', '', 1, null, { me: 'pw' }])('refuses %j, which has no password', (value) => {
    expect(refused(credentials, value)).toBe(
      'it must look like NAME:PASSWORD; with an empty password, NAME:',
    );
  });

  it.each(['me:pw\n', 'me:p\u0000w', 'm\te:pw', 'me:\u007f'])(
    'refuses the control character in %j',
    (value) => {
      expect(refused(credentials, value)).toBe('it must be without control characters');
    },
  );

  it('shows nothing of a value', () => {
    expect(credentials.show?.('s3cret')).toBe('the value');
  });
});
