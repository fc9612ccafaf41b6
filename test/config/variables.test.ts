import { describe, expect, it } from 'vitest';
import { InvalidValueError } from '../../src/config/option.ts';
import { escapeVariables, expandVariables } from '../../src/config/option-sources.ts';

const environment = { A: '1', A_2: '2', LOOP: '$A', REPLACER: '$& $1' };

describe('expandVariables()', () => {
  it.each([
    ['$A', '1'],
    [`x\${A}x`, 'x1x'],
    ['$A_2', '2'],
    [`\${A}_2`, '1_2'],
    ['$$A', '$A'],
    ['$$$A', '$1'],
    [`$5 $ \${} \${a b} $-`, `$5 $ \${} \${a b} $-`],
    ['$LOOP', '$A'],
    ['$REPLACER', '$& $1'],
  ])('reads %s as %s', (text, expanded) => {
    expect(expandVariables(text, environment)).toBe(expanded);
  });

  it('goes into lists and objects, and leaves other values and keys', () => {
    expect(expandVariables({ $A: ['$A', 1, null, { b: '$A' }] }, environment)).toEqual({
      $A: ['1', 1, null, { b: '1' }],
    });
  });

  it('refuses a variable that is not set, also the name of an inherited property', () => {
    expect(() => expandVariables('$B', environment)).toThrow(
      new InvalidValueError('it needs the environment variable B, which is not set'),
    );
    expect(() => expandVariables('$toString', environment)).toThrow(InvalidValueError);
  });
});

describe('escapeVariables()', () => {
  it.each(['$A', '$$A', '$', '$$', '$5', '$$5', `\${A}`, `\${`, '$$$', 'plain', '$ $_ $é'])(
    'writes %s so that it is read back',
    (text) => {
      expect(expandVariables(escapeVariables(text), environment)).toBe(text);
    },
  );
});
