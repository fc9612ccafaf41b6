import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHostsFile } from '../../../src/http/dns/lookup.ts';
import { runs } from '../../arbitrary/runs.ts';
import { hostileText, nearly } from '../../arbitrary/texts.ts';

test('parseHostsFile() of any text has only addresses, each once', () => {
  const line = fc.tuple(
    nearly(['127.0.0.1', '::1', 'fe80::1%lo0', '10.0.0.1']),
    fc.array(nearly(['localhost', 'A.b.', '#x', '__proto__']), { maxLength: 3 }),
  );
  const text = fc
    .array(
      line.map(([address, names]) => [address, ...names].join(' ')),
      { maxLength: 6 },
    )
    .map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(fc.oneof(text, hostileText), (file) => {
      for (const [name, addresses] of parseHostsFile(file)) {
        expect(name).toBe(name.toLowerCase());
        expect(addresses.length > 0 && addresses.every((address) => isIP(address) !== 0)).toBe(true);
        expect(new Set(addresses).size).toBe(addresses.length);
      }
    }),
    runs(300),
  );
});
