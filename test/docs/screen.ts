/** The style of a character. */
export interface Style {
  readonly colour: 'red' | 'green' | 'yellow' | undefined;
  readonly isBold: boolean;
  readonly isDim: boolean;
}

/** Adjacent characters of one line with the same style. */
export interface Run extends Style {
  readonly column: number;
  readonly text: string;
}

interface Cell {
  readonly character: string;
  readonly style: Style;
}

const PLAIN: Style = { colour: undefined, isBold: false, isDim: false };

// By the numbers of the escape sequence that sets them (SGR).
const CHANGES: Readonly<Record<string, Partial<Style>>> = {
  0: PLAIN,
  1: { isBold: true },
  2: { isDim: true },
  22: { isBold: false, isDim: false },
  31: { colour: 'red' },
  32: { colour: 'green' },
  33: { colour: 'yellow' },
  39: { colour: undefined },
};

// An escape sequence, or one character.
const PIECE = /\u001b\[([\d;]*)([A-Za-z])|./gsu;

/** A terminal that understands the escape sequences of fanout, and throws on any other. */
export class Screen {
  readonly #columns: number;
  #lines: Cell[][] = [[]];
  #column = 0;
  #style = PLAIN;

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): void {
    for (const [piece, numbers = '', letter] of text.matchAll(PIECE)) {
      if (letter === 'm') this.#style = changed(this.#style, numbers);
      else if (letter === 'K') this.#line().length = Math.min(this.#line().length, this.#column);
      else if (letter === 'G') this.#column = Number(numbers || 1) - 1;
      else if (letter !== undefined || piece === '\u001b')
        throw new Error(`no screen shows ${JSON.stringify(piece)}`);
      else if (piece === '\r') this.#column = 0;
      else if (piece === '\n') this.#lines.push([]);
      else this.#put(piece);
    }
  }

  /** The last `count` lines, the topmost first. */
  rows(count: number): readonly (readonly Run[])[] {
    return this.#lines.slice(-count).map(runsOf);
  }

  #put(character: string): void {
    if (this.#column === this.#columns) {
      this.#lines.push([]);
      this.#column = 0;
    }
    const line = this.#line();
    while (line.length < this.#column) line.push({ character: ' ', style: PLAIN });
    line[this.#column++] = { character, style: this.#style };
  }

  #line(): Cell[] {
    return this.#lines.at(-1) ?? [];
  }
}

function changed(style: Style, numbers: string): Style {
  let now = style;
  for (const number of (numbers || '0').split(';')) {
    const change = CHANGES[number];
    if (change === undefined) throw new Error(`no screen shows the style ${number}`);
    now = { ...now, ...change };
  }
  return now;
}

function runsOf(line: readonly Cell[]): readonly Run[] {
  const runs: Run[] = [];
  for (const [column, { character, style }] of line.entries()) {
    const last = runs.at(-1);
    if (last !== undefined && isSame(last, style))
      runs[runs.length - 1] = { ...last, text: last.text + character };
    else runs.push({ ...style, column, text: character });
  }
  return runs.filter(({ text }) => text.trim() !== '');
}

function isSame(one: Style, other: Style): boolean {
  return one.colour === other.colour && one.isBold === other.isBold && one.isDim === other.isDim;
}
