import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';

export interface Got {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

/** One request by node's own client, for tests of the servers; rejects when the answer is not whole. */
export function get(url: string, options: RequestOptions & { body?: string } = {}): Promise<Got> {
  const secure = url.startsWith('https:');
  // an agent of its own, so that no connection outlives its test
  const agent = options.agent ?? (secure ? new HttpsAgent() : new HttpAgent());
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(url, { ...options, agent }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', reject);
      response.once('end', () => {
        const body = Buffer.concat(parts);
        const { statusCode = 0, statusMessage = '', headers } = response;
        resolve({ status: statusCode, reason: statusMessage, headers, body, text: body.toString() });
      });
    });
    request.once('error', reject);
    request.end(options.body);
  });
}
