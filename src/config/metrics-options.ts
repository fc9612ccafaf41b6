import { option } from './option.ts';
import { listenAddress } from './parsers/listen-address.ts';

/** What a long run tells of itself while it goes on: for every command that takes part in one. */
export const metricsOptions = {
  metrics: option({
    flags: '--metrics <address>',
    group: 'Several machines',
    parser: listenAddress,
    default: undefined,
    help: 'serve OpenMetrics at http://ADDRESS/metrics meanwhile: a port alone is for this machine (9464); 0.0.0.0:9464 or [::]:9464 is for all who can reach it',
  }),
};
