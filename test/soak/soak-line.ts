/** Where the origins of a soak are. */
export interface SoakOrigins {
  /** An nginx that serves `/file` at every address of 127.0.0.0/8. */
  readonly nginxPort: number;
  /** The test origin, at every address of 127.0.0.0/8, too. */
  readonly originPort: number;
  /** A port that nobody listens on. */
  readonly refusedPort: number;
  /** One server for each misbehaviour that tests know. */
  readonly hostile: readonly string[];
}

/** What must become of a line; `either` where the misbehaviour may be survived. */
export type Expected = 'ok' | 'failed' | 'either';

export interface SoakLine {
  readonly text: string;
  readonly expected: Expected;
}

/** Lines of one sort: so many of a thousand. */
interface Share {
  readonly perThousand: number;
  readonly expected: Expected;
  readonly text: (index: number, origins: SoakOrigins) => string;
}

const THOUSAND = 1000;
/** Has no divisor in common with 1000: all sorts come in turn, none of them in a row. */
const STRIDE = 7919;

const host = (second: number, index: number, count: number) => `127.${second}.${(index % count) + 1}.1`;

/** The same route of the origin at `count` addresses, so that what it does to its host harms no other sort. */
const route =
  (second: number, count: number, path: (index: number) => string) =>
  (index: number, { originPort }: SoakOrigins) =>
    `http://${host(second, index, count)}:${originPort}${path(index)}`;

const job = (index: number, origins: SoakOrigins, method: string) =>
  JSON.stringify({
    url: route(8, 10, () => '/echo')(index, origins),
    method,
    body: `body ${index}`,
    id: `job-${index}`,
  });

const SHARES: readonly Share[] = [
  {
    perThousand: 726,
    expected: 'ok',
    text: (index, { nginxPort }) => `http://${host(1, index, 200)}:${nginxPort}/file?${index}`,
  },
  { perThousand: 150, expected: 'ok', text: route(2, 40, (index) => `/slow/${50 + (index % 400)}?${index}`) },
  { perThousand: 25, expected: 'ok', text: route(3, 20, (index) => `/chunked/${index % 100_000}`) },
  { perThousand: 25, expected: 'ok', text: route(3, 20, (index) => `/gzip/${index % 20_000}`) },
  { perThousand: 18, expected: 'ok', text: route(4, 20, (index) => `/redirect/${1 + (index % 3)}`) },
  { perThousand: 1, expected: 'failed', text: route(4, 20, () => '/redirect/12') },
  { perThousand: 1, expected: 'failed', text: route(4, 20, () => '/loop') },
  { perThousand: 18, expected: 'failed', text: route(5, 20, (index) => `/status/${400 + (index % 20)}`) },
  { perThousand: 5, expected: 'ok', text: route(6, 10, (index) => `/flaky/${index}/1?status=500`) },
  { perThousand: 1, expected: 'failed', text: route(7, 5, () => '/status/503') },
  { perThousand: 5, expected: 'ok', text: (index, origins) => job(index, origins, 'POST') },
  { perThousand: 2, expected: 'failed', text: (index, origins) => job(index, origins, 'NO METHOD') },
  { perThousand: 1, expected: 'ok', text: route(9, 5, () => '/gzip-bomb') },
  { perThousand: 2, expected: 'failed', text: route(9, 5, () => '/gzip-truncated/5000') },
  { perThousand: 2, expected: 'failed', text: route(9, 5, () => '/gzip-garbage/5000') },
  { perThousand: 4, expected: 'failed', text: (index) => `no url \u001b[31m${index}` },
  { perThousand: 2, expected: 'failed', text: (index) => `{"url": ${index}` },
  {
    perThousand: 8,
    expected: 'failed',
    text: (index, { refusedPort }) => `http://127.10.${(index >> 8) & 255}.${index & 255}:${refusedPort}/`,
  },
  {
    perThousand: 4,
    expected: 'either',
    text: (index, { hostile }) => hostile[Math.floor(index / THOUSAND) % hostile.length] ?? '',
  },
];

/** The line of a place in the list, from 0: the same each time it is asked for. */
export function soakLine(index: number, origins: SoakOrigins): SoakLine {
  let slot = (index * STRIDE) % THOUSAND;
  for (const { perThousand, expected, text } of SHARES) {
    if (slot < perThousand) return { text: text(index, origins), expected };
    slot -= perThousand;
  }
  throw new Error(`the shares do not add up to ${THOUSAND}`);
}

/** The whole list, in pieces of a thousand lines, with a comment in each. */
export function* soakList(count: number, origins: SoakOrigins): Generator<string> {
  for (let start = 0; start < count; start += THOUSAND) {
    let text = `# from ${start}\n\n`;
    for (let index = start; index < Math.min(count, start + THOUSAND); index += 1) {
      text += `${soakLine(index, origins).text}\n`;
    }
    yield text;
  }
}
