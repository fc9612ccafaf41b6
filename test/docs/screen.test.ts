import { expect, test } from 'vitest';
import { movingPicture } from './moving-picture.ts';
import { Screen } from './screen.ts';

const plain = { colour: undefined, isBold: false, isDim: false };

function shown(text: string, columns = 20): readonly (readonly string[])[] {
  const screen = new Screen(columns);
  screen.write(text);
  return screen.rows(3).map((runs) => runs.map((run) => run.text));
}

test('a carriage return moves to the start of the line, and K clears behind the cursor', () => {
  expect(shown('12345\rab\u001b[K')).toEqual([['ab']]);
  expect(shown('12345\rab')).toEqual([['ab345']]);
});

test('long lines wrap, and the last lines are shown', () => {
  expect(shown('1\r\n2\r\n34567', 3)).toEqual([['2'], ['345'], ['67']]);
});

test('a style lasts until it is changed', () => {
  const screen = new Screen(20);
  screen.write('a\u001b[31mb\u001b[39;1mc\u001b[0md');
  expect(screen.rows(1)).toEqual([
    [
      { ...plain, column: 0, text: 'a' },
      { ...plain, column: 1, text: 'b', colour: 'red' },
      { ...plain, column: 2, text: 'c', isBold: true },
      { ...plain, column: 3, text: 'd' },
    ],
  ]);
});

test('an unknown escape sequence is an error', () => {
  expect(() => new Screen(9).write('\u001b[2J')).toThrow('no screen shows');
  expect(() => new Screen(9).write('\u001b[35m')).toThrow('no screen shows the style 35');
});

test('a picture shows its frames one after the other, and escapes their text', () => {
  const frame = [[{ ...plain, column: 2, text: '<b> & x', colour: 'green' as const }]];
  const svg = movingPicture([frame, frame], 20, 1);
  expect(svg).toContain('style="fill: #3fb950">&lt;b&gt; &amp; x</text>');
  expect(svg.match(/<g id="f\d"/g)).toHaveLength(2);
  expect(svg).toContain('@keyframes s1 { 0% { opacity: 0 }');
});
