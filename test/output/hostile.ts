import { failedResult, okResult } from '../model/a-result.ts';

/** Colours, a line break with a fake result, a direction mark, C1 controls and NUL, as an attacker would send them. */
export const HOSTILE =
  '\x1b[2J\x1b]0;owned\x07\r\nOK    200  https://fake/\u202egnp.exe\u2066\u009b31m\u2028\0\u007f\ufeff';

export const hostileResults = [
  failedResult('invalid', {
    url: HOSTILE,
    source: HOSTILE,
    id: HOSTILE,
    failure: { kind: 'invalid', code: HOSTILE, message: HOSTILE },
  }),
  failedResult('status', {
    status: 500,
    contentType: HOSTILE,
    failure: { kind: 'status', message: HOSTILE },
  }),
  okResult({ url: HOSTILE, finalUrl: HOSTILE, contentType: HOSTILE, id: HOSTILE }),
];

/** All characters that move a cursor, end a line, or change the direction of text. */
export const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/u;
