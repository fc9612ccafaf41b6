import { pipeline, Readable } from 'node:stream';
import { filler, fillerBlocks } from './filler.ts';
import { answer, type Route, type Visit, whole } from './route.ts';

const MAX_BYTES = 1024 ** 3;

function stream({ request, response }: Visit, blocks: Iterable<Buffer>): void {
  response.setHeader('content-type', 'application/octet-stream');
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  pipeline(Readable.from(blocks), response, () => {}); // a client that leaves early is none of our errors
}

const range: Route = (visit) => {
  const { request, response, args, query, state } = visit;
  const total = whole(args[0], 0, MAX_BYTES);
  const etag = `"${query.get('etag') ?? total}"`;
  response.setHeader('etag', etag);
  response.setHeader('accept-ranges', 'bytes');
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const first = Number(asked?.[1] ?? 0);
  const fresh = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  if (asked !== null && fresh) {
    response.setHeader(
      'content-range',
      first < total ? `bytes ${first}-${total - 1}/${total}` : `bytes */${total}`,
    );
    answer(response, first < total ? 206 : 416, filler(total).subarray(first));
    return;
  }
  const seen = state.seen.get(`range ${request.url}`) ?? 0;
  state.seen.set(`range ${request.url}`, seen + 1);
  if (!query.has('cut') || seen > 0 || request.method === 'HEAD') {
    answer(response, 200, filler(total));
    return;
  }
  response.writeHead(200, { 'content-length': total });
  response.write(filler(whole(query.get('cut') ?? undefined, 1, total)), () => response.destroy());
};

/** Routes about the body itself: its length, its framing, parts of it, what was sent to it. */
export const bodyRoutes: Readonly<Record<string, Route>> = {
  bytes: (visit) => {
    const bytes = whole(visit.args[0], 0, MAX_BYTES);
    visit.response.setHeader('content-length', bytes);
    stream(visit, fillerBlocks(bytes));
  },
  chunked: (visit) => stream(visit, fillerBlocks(whole(visit.args[0], 0, MAX_BYTES))),
  text: ({ response, query }) => {
    const type = query.get('type');
    if (type !== null) response.setHeader('content-type', type);
    answer(response, whole(query.get('status') ?? '200', 200, 999), query.get('body') ?? '');
  },
  range,
  echo: ({ request, response }) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method, url, headers } = request;
      response.setHeader('content-type', 'application/json');
      answer(response, 200, JSON.stringify({ method, url, headers, body: Buffer.concat(parts).toString() }));
    });
  },
};
