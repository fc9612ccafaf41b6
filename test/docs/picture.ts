import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Frame, movingPicture } from './moving-picture.ts';
import { ROOT } from './pages.ts';
import { Screen } from './screen.ts';

const COLUMNS = 96;
const ROWS = 24;
const FRAMES = 12;

const env = { ...process.env, CI: '', NO_COLOR: '', TERM: 'xterm-256color' };
const command = `stty columns ${COLUMNS} rows ${ROWS} && exec "${process.execPath}" --import tsx test/demo/demo.ts`;
// `script` is the terminal.
const { stdout } = await promisify(execFile)('script', ['-qfec', command, '/dev/null'], { cwd: ROOT, env });

const begin = stdout.indexOf('$ fanout ');
const end = stdout.indexOf('Exit code ');
if (begin === -1 || end === -1) throw new Error(`Cannot make a picture of the demo: it wrote ${stdout}`);
await writeFile(
  join(ROOT, 'docs/fanout.svg'),
  movingPicture(framesOf(stdout.slice(begin, end).trimEnd()), COLUMNS, ROWS),
);

/** Returns the screen after each twelfth of the output. */
function framesOf(output: string): readonly Frame[] {
  const screen = new Screen(COLUMNS);
  const frames: Frame[] = [];
  // The bar is cleared before lines are written, and drawn again below them: each piece ends with a drawn bar.
  const pieces = output.split(/(?<=in flight\u001b\[K)/);
  for (const [index, piece] of pieces.entries()) {
    screen.write(piece);
    const isDue = Math.floor(((index + 1) * FRAMES) / pieces.length) > frames.length;
    if (isDue || index === pieces.length - 1) frames.push(screen.rows(ROWS));
  }
  return frames;
}
