import { startRawServer } from './raw-server.ts';
import { okAnswer, type Starter, scripted } from './script.ts';

/** An answer of body `ok` with this status line and these extra header bytes. */
const odd = (statusLine: string, headers = ''): Starter =>
  scripted(`${statusLine}\r\nContent-Length: 2\r\n${headers}\r\nok`, 'keep');

const GOOD = 'HTTP/1.1 200 OK';

/** The banner of another protocol, sent as soon as the connection is accepted. */
export const sshBanner: Starter = (options) =>
  startRawServer({ onConnect: (socket) => void socket.write('SSH-2.0-OpenSSH_9.6\r\n') }, options);

/** Bytes that are no text at all. */
export const binaryGarbage: Starter = scripted(Buffer.from('0001feff80900d0a0d0a00', 'hex'), 'keep');

/** One header of 70,000 bytes: over 64 KB. */
export const oversizedHeader: Starter = odd(GOOD, `X-Large: ${'l'.repeat(70_000)}\r\n`);

/** One header of 20,000 bytes: large, but below 64 KB. */
export const largeHeader: Starter = odd(GOOD, `X-Large: ${'l'.repeat(20_000)}\r\n`);

/** An HTTP/0.9 answer: a body without a head. */
export const http09Body: Starter = scripted('<html>hello</html>\n', 'close');

/** A status line of HTTP/0.9. */
export const http09StatusLine: Starter = odd('HTTP/0.9 200 OK');

/** A status line of a version that does not exist. */
export const http12StatusLine: Starter = odd('HTTP/1.2 200 OK');

/** The protocol name in lower case. */
export const lowerCaseProtocol: Starter = odd('http/1.1 200 OK');

/** Status 1000. */
export const status1000: Starter = odd('HTTP/1.1 1000 Too Much');

/** Status 99. */
export const status99: Starter = odd('HTTP/1.1 99 Too Little');

/** Status 099, three digits and yet below 100. */
export const status099: Starter = odd('HTTP/1.1 099 Too Little');

/** Status 999, as some sites answer robots. */
export const status999: Starter = odd('HTTP/1.1 999 Request Denied');

/** A status line without a reason phrase, as HTTP/2 gateways send it. */
export const noReason: Starter = odd('HTTP/1.1 200');

/** 100 before the answer, though nobody asked for it. */
export const continueFirst: Starter = scripted(`HTTP/1.1 100 Continue\r\n\r\n${okAnswer()}`, 'keep');

/** 102 before the answer. */
export const processingFirst: Starter = scripted(`HTTP/1.1 102 Processing\r\n\r\n${okAnswer()}`, 'keep');

/** 103 before the answer. */
export const earlyHintsFirst: Starter = scripted(
  `HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n${okAnswer()}`,
  'keep',
);

/** 101 that nobody asked for. */
export const unsolicitedUpgrade: Starter = scripted(
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  'keep',
);

/** Lines that end in a bare LF. */
export const bareLf: Starter = scripted('HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 'keep');

/** A bare CR inside a header value. */
export const bareCr: Starter = odd(GOOD, 'X-Odd: a\rb\r\n');

/** A header folded over two lines, which RFC 9112 §5.2 forbids. */
export const foldedHeader: Starter = odd(GOOD, 'X-Odd: a\r\n b\r\n');

/** A space between a header name and its colon. */
export const spaceBeforeColon: Starter = odd(GOOD, 'X-Odd : a\r\n');

/** A header line without a colon. */
export const headerWithoutColon: Starter = odd(GOOD, 'X-Odd\r\n');

/** A NUL in a header value. */
export const nulInHeader: Starter = odd(GOOD, 'X-Odd: a\0b\r\n');

/** UTF-8 bytes in a header value. */
export const utf8Header: Starter = odd(GOOD, `X-Odd: ${Buffer.from('café').toString('latin1')}\r\n`);

/** A reason phrase that would colour a terminal and set its title. */
export const escapeInReason: Starter = odd('HTTP/1.1 404 \u001b[31mRed\u001b[0m\u001b]0;title\u0007');

/** A reason phrase of UTF-8 bytes. */
export const utf8Reason: Starter = odd(`HTTP/1.1 404 ${Buffer.from('Não').toString('latin1')}`);

/** A content type that would colour a terminal. */
export const escapeInContentType: Starter = odd(GOOD, 'Content-Type: text/\u001b[31mplain\r\n');
