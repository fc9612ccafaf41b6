/** The flags that stand before a command; `--help` stands after one as well. */
export const HELP = { short: '-h', long: '--help', help: 'show this help' } as const;
export const VERSION = { short: '-V', long: '--version', help: 'show the version' } as const;
