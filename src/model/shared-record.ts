import { encodeRecord } from './record.ts';
import type { Result } from './result.ts';

/** The record that was made last. */
let latest: { readonly result: Result; readonly text: string } | undefined;

/** As `encodeRecord()`, made once where several outputs want it one after the other: by then nobody changes a result. */
export function sharedRecord(result: Result): string {
  if (latest?.result !== result) latest = { result, text: encodeRecord(result) };
  return latest.text;
}
