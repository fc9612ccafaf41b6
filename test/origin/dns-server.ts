import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { type Answer, decode, encode, type Packet, type Question } from 'dns-packet';

const RCODES = { ok: 0, servfail: 2, nxdomain: 3, refused: 5 } as const;
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
}

/** A UDP name server for tests. */
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
  const lookUp = (name: string): DnsEntry =>
    entries.get(name.toLowerCase()) ?? options.fallback ?? { fail: 'nxdomain' };

  socket.on('message', (message: Buffer, peer: RemoteInfo) => {
    const query = tryDecode(message);
    const question = query?.questions?.[0];
    if (query === undefined || question === undefined) return;
    asked.push({ name: question.name.toLowerCase(), type: question.type });
    const entry = lookUp(question.name);
    if (entry.silent) return;
    const reply = encode({
      type: 'response',
      id: query.id ?? 0,
      flags: 0x0180 | RCODES[entry.fail ?? 'ok'], // recursion desired and available
      questions: [question],
      answers: entry.fail ? [] : answers(question, lookUp),
    });
    const timer = setTimeout(() => {
      timers.delete(timer);
      socket.send(reply, peer.port, peer.address);
    }, entry.latencyMs ?? 0);
    timers.add(timer);
  });
  socket.bind(options.port ?? 0, options.host ?? '127.0.0.1');
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
    queriesFor: (name, type) =>
      asked.filter((query) => query.name === name.toLowerCase() && (type ?? query.type) === query.type)
        .length,
    set: (name, entry) => void entries.set(name.toLowerCase(), entry),
    close: () => {
      for (const timer of timers) clearTimeout(timer);
      closed ??= new Promise((resolve) => socket.close(() => resolve()));
      return closed;
    },
  };
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
function answers(question: Question, lookUp: (name: string) => DnsEntry): Answer[] {
  const found: Answer[] = [];
  let name = question.name;
  for (let aliases = 0; aliases < MAX_ALIASES; aliases++) {
    const entry = lookUp(name);
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
