interface SplitRequest {
  readonly head: string;
  readonly target: string;
  readonly body: Buffer;
  readonly rest: Buffer;
}

/** Cuts the first whole request off what a connection has sent; undefined while it is not whole. */
export function splitRequest(bytes: Buffer): SplitRequest | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  const bodyStart = end + 4;
  if (bytes.length < bodyStart + length) return undefined;
  return {
    head,
    target: head.split(' ', 2)[1] ?? '',
    body: bytes.subarray(bodyStart, bodyStart + length),
    rest: bytes.subarray(bodyStart + length),
  };
}
