/** The addresses to connect to for a host and a port, whatever DNS says. */
export interface AddressOverride {
  /** In lower case, without brackets and without a dot at its end; `*` is any host. */
  readonly host: string;
  readonly port: number;
  /** At least one. */
  readonly addresses: readonly string[];
}

/** Finds what `--resolve` says of a host and a port; undefined when it says nothing. */
export type FindOverride = (hostname: string, port: number) => readonly string[] | undefined;

/** A host's own entry goes before one for any host, and a later one before an earlier one, as with curl. */
export function overridesOf(overrides: readonly AddressOverride[]): FindOverride {
  if (overrides.length === 0) return () => undefined;
  const known = new Map(overrides.map(({ host, port, addresses }) => [`${host}:${port}`, addresses]));
  return (hostname, port) => known.get(`${hostname}:${port}`) ?? known.get(`*:${port}`);
}
