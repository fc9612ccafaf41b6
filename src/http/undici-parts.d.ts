// undici's main module loads fetch, WebSocket and caches too, which triples the start-up time; this is the part we use.
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export default Client;
}
