// The least that undici needs for a list: 64 clients with one connection each, a handler that counts, no list and no results.
// Arguments: the URL, and how often it is requested.
import Client from 'undici/lib/dispatcher/client.js';

const [url = '', count = '0'] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const CLIENTS = 64;
let left = Number(count);

const OPTIONS = { pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };
for (let index = 0; index < CLIENTS; index += 1) requestNext(new Client(origin, OPTIONS));

function requestNext(client) {
  if (left === 0) {
    client.close();
    return;
  }
  left -= 1;
  client.dispatch(
    { origin, path: `${pathname}?${left}`, method: 'GET' },
    {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd: () => requestNext(client),
      onResponseError(_, error) {
        throw error;
      },
    },
  );
}
