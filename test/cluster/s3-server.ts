import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';

/** What a test server of S3 has, by `bucket/key`. */
export interface S3Server {
  readonly url: string;
  readonly objects: Map<string, Buffer>;
  /** Requests as `METHOD /path`. */
  readonly requests: string[];
  /** The variables by which AWS tools find it. */
  readonly env: Readonly<Record<string, string>>;
  /** Called before each request; a status that it returns is the response. */
  refuse: (request: IncomingMessage) => number | undefined;
}

/** A server with the part of the S3 protocol that fanout uses, and one bucket, `shards`. Requests without a signature are refused. */
export async function anS3Server(): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const bytes: Buffer[] = [];
    for await (const piece of request) bytes.push(piece);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1');
    requests.push(`${request.method} ${pathname}`);
    const status = s3.refuse(request);
    if (status !== undefined) return fail(response, status, 'Refused');
    if (!/^AWS4-HMAC-SHA256 Credential=key\//.test(request.headers.authorization ?? '')) {
      return fail(response, 403, 'AccessDenied');
    }
    const [, bucket = '', ...keys] = decodeURIComponent(pathname).split('/');
    const key = `${bucket}/${keys.join('/')}`;
    if (bucket !== 'shards') return fail(response, 404, 'NoSuchBucket');
    if (request.method === 'HEAD') return response.end();
    if (request.method === 'PUT') {
      objects.set(key, Buffer.concat(bytes));
      return response.end();
    }
    if (keys.join('') === '') return list(response, objects, `shards/${searchParams.get('prefix') ?? ''}`);
    const object = objects.get(key);
    if (object === undefined) return fail(response, 404, 'NoSuchKey');
    const [, from = 0, to = 0] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (Number(from) >= object.length) return fail(response, 416, 'InvalidRange');
    response.writeHead(206).end(object.subarray(Number(from), Number(to) + 1));
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  const url = `http://${listening.authority}`;
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const s3: S3Server = { url, objects, requests, env, refuse: () => undefined };
  return s3;
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} it is</Message></Error>`);
}

function list(response: ServerResponse, objects: ReadonlyMap<string, Buffer>, prefix: string): void {
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix));
  const contents = keys.map((key) => `<Contents><Key>${key.replace('shards/', '')}</Key></Contents>`);
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><ListBucketResult>${contents.join('')}</ListBucketResult>`);
}
