/** The host of `HOST` or `HOST:PORT` as a URL has it, with brackets around an IPv6 address; `undefined` when it is none. */
export function hostnameOf(authority: string): string | undefined {
  try {
    // Not `URL.canParse`, which on Node 20 is wrong about all but ASCII once it has been optimised.
    return new URL(`http://${authority}/`).hostname;
  } catch {
    return undefined;
  }
}
