import { answer, type Route, whole } from './route.ts';

/** Routes that send the client elsewhere. */
export const redirectRoutes: Readonly<Record<string, Route>> = {
  redirect: ({ response, args, query }) => {
    const hops = whole(args[0], 0, 1000);
    const status = whole(query.get('status') ?? '302', 300, 399);
    const suffix = query.has('status') ? `?status=${status}` : '';
    response.setHeader('location', hops <= 1 ? '/ok' : `/redirect/${hops - 1}${suffix}`);
    answer(response, status);
  },
  'redirect-to': ({ response, query }) => {
    const url = query.get('url');
    if (url !== null) response.setHeader('location', url);
    answer(response, whole(query.get('status') ?? '302', 300, 399));
  },
  loop: ({ response }) => {
    response.setHeader('location', '/loop');
    answer(response, 302);
  },
};
