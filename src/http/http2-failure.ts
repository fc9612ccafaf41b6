import { constants } from 'node:http2';
import { explain } from './explain.ts';
import { KnownError } from './known-error.ts';

/** An HTTP/2 stream ended before its answer did. */
export class Http2Error extends KnownError {
  override readonly name = 'Http2Error';
}

const NAMES: ReadonlyMap<number, string> = new Map(
  [
    'NO_ERROR',
    'PROTOCOL_ERROR',
    'INTERNAL_ERROR',
    'FLOW_CONTROL_ERROR',
    'SETTINGS_TIMEOUT',
    'STREAM_CLOSED',
    'FRAME_SIZE_ERROR',
    'REFUSED_STREAM',
    'CANCEL',
    'COMPRESSION_ERROR',
    'CONNECT_ERROR',
    'ENHANCE_YOUR_CALM',
    'INADEQUATE_SECURITY',
    'HTTP_1_1_REQUIRED',
  ].map((name, code) => [code, name]),
);

/**
 * Says what the end of a stream means: by the error that Node reports, and by the code of the reset, where it was one.
 * A server that breaks off may do better next time; one that breaks the rules of HTTP/2 will not.
 */
export function http2Failure(
  error: (Error & { readonly code?: string }) | undefined,
  resetCode: number,
  hasHead: boolean,
): Error {
  const { code = '' } = error ?? {};
  if (error !== undefined && !code.startsWith('ERR_HTTP2_')) return error;
  // What nghttp2 itself cannot read.
  if (error !== undefined && code === 'ERR_HTTP2_ERROR') {
    return new Http2Error('protocol', code, `the answer is not valid HTTP/2 (${explain(error)})`);
  }
  const name = NAMES.get(resetCode) ?? `code ${resetCode}`;
  const reported = `NGHTTP2_${name}`;
  if (hasHead) {
    return new Http2Error('reset', reported, `the stream ended before the body was complete (${name})`);
  }
  switch (resetCode) {
    case constants.NGHTTP2_PROTOCOL_ERROR:
      return new Http2Error('protocol', reported, 'the answer breaks the rules of HTTP/2');
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return new Http2Error('protocol', reported, 'the server wants HTTP/1.1 here: leave out --http2');
    default:
      return new Http2Error('reset', reported, `the server ended the stream without an answer (${name})`);
  }
}
