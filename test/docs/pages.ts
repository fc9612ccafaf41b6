import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MANUAL = fileURLToPath(new URL('../../docs/manual.md', import.meta.url));
export const MAN_PAGE = fileURLToPath(new URL('../../man/fanout.1', import.meta.url));
export const README = fileURLToPath(new URL('../../README.md', import.meta.url));
