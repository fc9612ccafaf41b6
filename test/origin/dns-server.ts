import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { type Answer, decode, encode, type Packet, type Question } from 'dns-packet';
import { startDnsOverTcp } from './dns-over-tcp.ts';

const RCODES = { ok: 0, servfail: 2, nxdomain: 3, refused: 5 } as const;
const TRUNCATED = 0x0200;
const MAX_ALIASES = 8;

/** What the server says about one name. A name without a zone entry is NXDOMAIN. */
export interface DnsEntry {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  /** Answer with this code instead of records. */
  readonly fail?: Exclude<keyof typeof RCODES, 'ok'>;
  /** Never answer. */
  readonly silent?: boolean;
  /** Leave so many of the first queries without an answer (0). */
  readonly drops?: number;
  /** What is said about AAAA, where it is something else. */
  readonly forAaaa?: DnsEntry;
  /** Say over UDP that the answer is too long; over TCP it comes whole. */
  readonly truncated?: boolean;
  /** Answer after this time (0). */
  readonly latencyMs?: number;
  /** Time to live of the records in seconds (60). */
  readonly ttlSeconds?: number;
}

export interface DnsOptions {
  readonly host?: string;
  readonly port?: number;
  /** Names that are not in the zone. */
  readonly fallback?: DnsEntry;
  /** Also answer over TCP, on the same port. */
  readonly tcp?: boolean;
}

/** A name server for tests, over UDP. */
export interface DnsServer {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as `--dns-server` and `Resolver.setServers` take it. */
  readonly address: string;
  /** Queries received so far. */
  readonly queries: number;
  /** Queries received for a name, of one record type (`A`, `AAAA`) or of all. */
  queriesFor(name: string, type?: string): number;
  /** Changes or adds what is said about a name. */
  set(name: string, entry: DnsEntry): void;
  close(): Promise<void>;
}

/** Starts a name server that knows these names (in lower case). */
export async function startDnsServer(
  zone: Readonly<Record<string, DnsEntry>>,
  options: DnsOptions = {},
): Promise<DnsServer> {
  const entries = new Map(Object.entries(zone));
  const asked: { readonly name: string; readonly type: string }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const socket = createSocket(options.host?.includes(':') ? 'udp6' : 'udp4');
  const lookUp = (name: string, type: string): DnsEntry => {
    const entry = entries.get(name.toLowerCase()) ?? options.fallback ?? { fail: 'nxdomain' };
    return (type === 'AAAA' ? entry.forAaaa : undefined) ?? entry;
  };
  const queriesFor = (name: string, type?: string) =>
    asked.filter((query) => query.name === name.toLowerCase() && (type ?? query.type) === query.type).length;

  const answer = (message: Buffer, isUdp: boolean, send: (reply: Buffer) => void) => {
    const query = tryDecode(message);
    const question = query?.questions?.[0];
    if (query === undefined || question === undefined) return;
    asked.push({ name: question.name.toLowerCase(), type: question.type });
    const entry = lookUp(question.name, question.type);
    const { silent, drops } = entry;
    if (silent || (drops && queriesFor(question.name, question.type) <= drops)) return;
    const isCut = isUdp && entry.truncated === true;
    const reply = encode({
      type: 'response',
      id: query.id ?? 0,
      flags: 0x0180 | (isCut ? TRUNCATED : 0) | RCODES[entry.fail ?? 'ok'], // recursion desired and available
      questions: [question],
      answers: entry.fail || isCut ? [] : answers(question, lookUp),
    });
    const timer = setTimeout(() => {
      timers.delete(timer);
      send(reply);
    }, entry.latencyMs ?? 0);
    timers.add(timer);
  };
  socket.on('message', (message: Buffer, peer: RemoteInfo) => {
    answer(message, true, (reply) => socket.send(reply, peer.port, peer.address));
  });
  const host = options.host ?? '127.0.0.1';
  // Many a TCP port is taken by a connection that has ended, and hardly any of UDP: so TCP chooses.
  const tcp = options.tcp ? await startDnsOverTcp({ host, port: options.port ?? 0 }, answer) : undefined;
  socket.bind(tcp === undefined ? (options.port ?? 0) : portOf(tcp), host);
  await once(socket, 'listening');
  const { address, port } = socket.address();
  let closed: Promise<void> | undefined;
  return {
    host: address,
    port,
    address: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    get queries() {
      return asked.length;
    },
    queriesFor,
    set: (name, entry) => void entries.set(name.toLowerCase(), entry),
    close: () => {
      for (const timer of timers) clearTimeout(timer);
      tcp?.close();
      closed ??= new Promise((resolve) => socket.close(() => resolve()));
      return closed;
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server does not listen');
  return address.port;
}

/** The packet, or nothing when it is none. */
function tryDecode(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}

/** The records for a question, with every alias on the way, as a recursive server gives them. */
function answers(question: Question, lookUp: (name: string, type: string) => DnsEntry): Answer[] {
  const found: Answer[] = [];
  let name = question.name;
  for (let aliases = 0; aliases < MAX_ALIASES; aliases++) {
    const entry = lookUp(name, question.type);
    const ttl = entry.ttlSeconds ?? 60;
    if (entry.cname === undefined) {
      for (const data of entry.a ?? []) if (question.type === 'A') found.push({ type: 'A', name, ttl, data });
      for (const data of entry.aaaa ?? [])
        if (question.type === 'AAAA') found.push({ type: 'AAAA', name, ttl, data });
      break;
    }
    found.push({ type: 'CNAME', name, ttl, data: entry.cname });
    name = entry.cname;
  }
  return found;
}
