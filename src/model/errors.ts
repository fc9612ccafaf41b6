/** The command line, the environment, the configuration or an argument of the library is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An input cannot be read, or holds no URL at all. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** An output cannot be written, so the run cannot go on. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** The counts of a run do not add up: a bug, and never to be hidden. */
export class AccountingError extends Error {
  override readonly name = 'AccountingError';
}
