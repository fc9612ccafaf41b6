import { connect } from 'node:net';

/** What a raw client got from a server, as latin1 text, and what ended the conversation. */
export interface Talk {
  readonly text: string;
  readonly end: 'fin' | 'reset' | 'enough';
}

export interface TalkOptions {
  /** Bytes to send once connected; a plain GET of `/` when left out. */
  readonly send?: string | Buffer;
  /** Ends the conversation as soon as this holds for all text so far. */
  readonly enough?: (text: string) => boolean;
}

const GET = 'GET / HTTP/1.1\r\nHost: raw\r\n\r\n';

/** Talks to a port over a bare socket until the server ends it or it has been enough; rejects if it cannot connect. */
export function talk(target: { host: string; port: number }, options: TalkOptions = {}): Promise<Talk> {
  return new Promise((resolve, reject) => {
    let text = '';
    let connected = false;
    const socket = connect(target.port, target.host);
    const finish = (end: Talk['end']): void => {
      socket.destroy();
      resolve({ text, end });
    };
    socket.setEncoding('latin1');
    socket.once('connect', () => {
      connected = true;
      socket.write(options.send ?? GET);
    });
    socket.on('data', (part: string) => {
      text += part;
      if (options.enough?.(text)) finish('enough');
    });
    socket.once('end', () => finish('fin'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (connected || error.code === 'ECONNRESET') finish('reset');
      else reject(error);
    });
  });
}
