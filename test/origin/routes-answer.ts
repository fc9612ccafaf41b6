import { STATUS_CODES } from 'node:http';
import { filler } from './filler.ts';
import { answer, type Route, whole } from './route.ts';

const OK_BODY = 'ok\n';

const refusingHead =
  (status: number): Route =>
  ({ request, response }) =>
    request.method === 'HEAD' ? answer(response, status) : answer(response, 200, OK_BODY);

/** Routes about the status, the headers and the moment of an answer. */
export const answerRoutes: Readonly<Record<string, Route>> = {
  ok: ({ response }) => answer(response, 200, OK_BODY),
  status: ({ response, args, query }) => {
    const status = whole(args[0], 200, 999); // 1xx are not final: see hostile-head.ts
    response.statusMessage = query.get('reason') ?? STATUS_CODES[status] ?? '';
    answer(response, status, [204, 205, 304].includes(status) ? '' : `status ${status}\n`);
  },
  headers: ({ response, query }) => {
    for (const [name, value] of query) response.appendHeader(name, value);
    answer(response, 200, OK_BODY);
  },
  etag: ({ request, response }) => {
    response.setHeader('etag', '"one"');
    const known = request.headers['if-none-match'] === '"one"';
    answer(response, known ? 304 : 200, known ? '' : OK_BODY);
  },
  'head-405': refusingHead(405),
  'head-501': refusingHead(501),
  flaky: ({ response, args, query, state }) => {
    const key = `flaky ${args[0]}`;
    const failures = whole(args[1], 0, 1000);
    const seen = state.seen.get(key) ?? 0;
    state.seen.set(key, seen + 1);
    const retryAfter = query.get('retry-after');
    if (seen >= failures) return answer(response, 200, OK_BODY);
    if (retryAfter !== null) response.setHeader('retry-after', retryAfter);
    const date = query.get('date');
    if (date !== null) response.setHeader('date', date);
    answer(response, whole(query.get('status') ?? '503', 200, 999), 'not yet\n');
  },
  slow: ({ response, args }) => {
    const timer = setTimeout(() => answer(response, 200, OK_BODY), whole(args[0], 0, 60_000));
    response.once('close', () => clearTimeout(timer));
  },
  gate: ({ response, args, query, state }) => {
    const status = whole(query.get('status') ?? '200', 200, 999);
    state.gates.wait(args[0] ?? '', response, () => answer(response, status, OK_BODY));
  },
  hang: ({ response, state }) => state.gates.wait('hang', response, () => answer(response, 200, OK_BODY)),
  half: ({ response, args, state }) => {
    const body = filler(1000);
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, 500));
    state.gates.wait(args[0] ?? '', response, () => response.end(body.subarray(500)));
  },
};
