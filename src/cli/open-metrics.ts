import type { ListenAddress } from '../config/parsers/listen-address.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { packageVersion } from '../version.ts';

export interface MetricsRole {
  readonly role: 'feed' | 'work' | 'collect' | 'fetch';
  readonly run: string | undefined;
  readonly process: Pick<NodeJS.Process, 'version'>;
  readonly warn: (text: string) => void;
}

/** Opens what `--metrics` asks for, whose code is loaded on use. Throws a `UsageError` when it cannot be. */
export async function openMetrics(
  address: ListenAddress | undefined,
  { role, run = '', process, warn }: MetricsRole,
): Promise<Metrics | undefined> {
  if (address === undefined) return undefined;
  const { Metrics } = await import('../metrics/metrics.ts');
  const metrics = await Metrics.open({
    ...address,
    version: packageVersion(),
    nodeVersion: process.version,
    role,
    run,
  });
  warn(`metrics are at ${metrics.url}`);
  return metrics;
}
