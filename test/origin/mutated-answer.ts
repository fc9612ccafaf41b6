import { VALID_ANSWERS } from './valid-answers.ts';

/** What a server sends for one request, and what it does to the connection then. */
export interface MutatedAnswer {
  readonly pieces: readonly Buffer[];
  readonly end: 'keep' | 'fin' | 'rst';
}

type Random = () => number;
type Mutation = (bytes: Buffer, random: Random) => Buffer;

const NUMBERS = ['', '0', '-1', '+1', '1', '9', '0x10', '1e3', '1.5', '00', '99999', '4294967296', '18446744073709551616', 'ffffffff', '7fffffffffffffff', '٣']; // biome-ignore format: a list
const LINES = ['\r\n', '\n', '\r', '\r\n\r\n', ':', ': ', '\0', '\x0b', ' ', '\t', '\r\n folded', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Encoding: gzip\r\n', 'Location: /x\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 'HTTP/2.0 ', '0\r\n\r\n']; // biome-ignore format: a list
const GARBAGE = ['SSH-2.0-x\r\n', '\x16\x03\x01\x02', '\x1f\x8b\x08', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '<html>', '\0'.repeat(100), 'x'.repeat(20_000), 'A: b\r\n'.repeat(3000)]; // biome-ignore format: a list

const MUTATIONS: readonly Mutation[] = [
  // One bit.
  (bytes, random) => {
    const at = below(random, bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
    return bytes;
  },
  // Bytes that are left out, and bytes that come twice.
  (bytes, random) => {
    const [start, end] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  (bytes, random) => {
    const [start, end] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
  },
  // Bytes that nobody asked for.
  (bytes, random) => {
    const put = Buffer.from(Array.from({ length: 1 + below(random, 8) }, () => below(random, 256)));
    return inserted(bytes, below(random, bytes.length), put);
  },
  (bytes, random) => inserted(bytes, below(random, bytes.length), latin1(pick(random, LINES))),
  (bytes, random) => inserted(bytes, 0, latin1(pick(random, GARBAGE))),
  (bytes, random) => inserted(bytes, bytes.length, latin1(pick(random, GARBAGE))),
  // Lengths, statuses, sizes of chunks, dates.
  (bytes, random) => {
    const numbers = [...bytes.toString('latin1').matchAll(/(?<![\da-f])[\da-f]+(?=[\r\n ,;/-])/g)];
    const { index = 0, 0: digits = '' } = pick(random, numbers) ?? [];
    const rest = bytes.subarray(index + digits.length);
    return Buffer.concat([bytes.subarray(0, index), Buffer.from(pick(random, NUMBERS)), rest]);
  },
  // An answer that breaks off, and one that goes on as another.
  (bytes, random) => bytes.subarray(0, below(random, bytes.length)),
  (bytes, random) => {
    const other = pick(random, VALID_ANSWERS);
    const rest = other.subarray(below(random, other.length));
    return Buffer.concat([bytes.subarray(0, below(random, bytes.length)), rest]);
  },
];

/** A correct answer that was changed by chance in none to three ways, cut into packets, and ended by chance. */
export function mutatedAnswer(random: Random): MutatedAnswer {
  let bytes: Buffer = Buffer.from(pick(random, VALID_ANSWERS));
  for (let left = below(random, 4); left > 0; left -= 1) bytes = pick(random, MUTATIONS)(bytes, random);
  const dice = random();
  return { pieces: packets(bytes, random), end: dice < 0.12 ? 'keep' : dice < 0.9 ? 'fin' : 'rst' };
}

function packets(bytes: Buffer, random: Random): Buffer[] {
  const count = random() < 0.6 ? 0 : 1 + below(random, 4);
  const cuts = Array.from({ length: count }, () => below(random, bytes.length + 1)).sort((a, b) => a - b);
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end));
}

function inserted(bytes: Buffer, at: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at)]);
}

function range(bytes: Buffer, random: Random): [number, number] {
  const start = below(random, bytes.length);
  return [start, start + 1 + below(random, random() < 0.7 ? 4 : 200)];
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)] as T; // no list is empty, but that of the numbers of an answer, which is asked for
}
