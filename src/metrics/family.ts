import type { Registry } from 'prom-client';
import type { PromClient } from './load-prom-client.ts';

/** One value of a family, told from others by its labels: of few, known values, and never a host or a URL. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric whose values are looked up when it is asked for, so that nothing is counted twice. */
export interface Family {
  readonly type: 'counter' | 'gauge';
  /** With its unit, and `_total` where it is a counter. */
  readonly name: string;
  readonly help: string;
  /** The names of the labels of its samples. */
  readonly labels?: readonly string[];
  /** `undefined` of what is not known at the time. */
  readonly read: () => Reading | Promise<Reading>;
}

export type Reading = number | readonly Sample[] | undefined;

export type OpenMetricsRegistry = Registry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>;

/** Makes a family part of what is shown. */
export function register(prom: PromClient, registry: OpenMetricsRegistry, family: Family): void {
  const { type, name, help, labels = [], read } = family;
  const Metric = type === 'counter' ? prom.Counter : prom.Gauge;
  const metric = new Metric({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    async collect() {
      const reading = await read();
      metric.reset();
      if (labels.length === 0) metric.remove();
      for (const { labels: own, value } of samplesOf(reading)) metric.inc(own, value);
    },
  });
}

function samplesOf(reading: Reading): readonly Sample[] {
  if (reading === undefined) return [];
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
}
