export type { Failure, FailureKind } from './model/failure.ts';
export type { Job } from './model/job.ts';
export type { Redirect, Result } from './model/result.ts';
