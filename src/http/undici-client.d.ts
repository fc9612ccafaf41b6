// The types of the internal module that http1-client.ts imports instead of undici's main module.
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export default Client;
}
