/** What the parts of one run are called on the broker. */
export interface RunNames {
  /** The stream of jobs, a work queue. */
  readonly jobs: string;
  /** The stream of results. */
  readonly log: string;
  /** The stream that holds the last word on each key of the run, such as its settings. */
  readonly state: string;
  /** The stream of URLs that no worker survived. */
  readonly dead: string;
  /** Where chunks of a partition are published. */
  jobSubject(partition: number): string;
  readonly logSubject: string;
  stateSubject(key: string): string;
  deadSubject(key: string): string;
  /** The durable consumer of a partition. */
  consumer(partition: number): string;
  /** Where the collector answers what it is asked. */
  readonly collectorSubject: string;
}

// What may stand in the names of streams and in subjects, and in the name of a file.
const RUN_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a run may be called so. */
export function isRunName(text: string): boolean {
  return RUN_NAME.test(text);
}

/** The name of the run in which the dead of this one are tried again. */
export function retryName(run: string): string {
  const [, first = run, tries = '0'] = /^(.*)-retry-(\d{1,9})$/.exec(run) ?? [];
  return `${first}-retry-${Number(tries) + 1}`;
}

export function runNames(run: string): RunNames {
  return {
    jobs: `fanout_${run}_jobs`,
    log: `fanout_${run}_log`,
    state: `fanout_${run}_state`,
    dead: `fanout_${run}_dead`,
    jobSubject: (partition) => `fanout.${run}.jobs.${partition}`,
    logSubject: `fanout.${run}.log`,
    stateSubject: (key) => `fanout.${run}.state.${key}`,
    deadSubject: (key) => `fanout.${run}.dead.${key}`,
    consumer: (partition) => `p${partition}`,
    collectorSubject: `fanout.${run}.collector`,
  };
}
