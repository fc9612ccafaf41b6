import { FileNamer } from '../bodies/file-name-template.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { maskHeaders } from '../config/secrets.ts';
import { rejectInvalidJobs } from '../fetch/job-checks.ts';
import { firstHop, headersFor, type RequestDefaults } from '../http/hop.ts';
import type { Job } from '../model/job.ts';
import { escapeJson } from '../output/jsonl.ts';
import { EXIT } from './exit-code.ts';
import type { FetchSettings } from './fetch-settings.ts';
import { checkNotEmpty, type JobSource } from './inputs.ts';
import { createOutput } from './output-files.ts';

interface DryRunParts {
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
}

/**
 * `--dry-run`: writes the first request of each job as one JSON line on standard output, with secrets masked and the name of
 * the file for its body, and fetches nothing. Resolves to the exit code, which is 1 if a job is invalid.
 */
export async function dryRun(
  source: JobSource,
  { options, settings, process }: DryRunParts,
): Promise<number> {
  const output = await createOutput(undefined, process);
  const reading = new AbortController();
  output.closed.then(() => reading.abort());
  const namer = options.saveAs && new FileNamer({ template: options.saveAs, defaultMethod: options.method });
  let invalid = 0;
  for await (const batch of rejectInvalidJobs(source.jobs(reading.signal), options)) {
    for (const job of batch) {
      if (job.invalid !== undefined) invalid += 1;
      await output.write(`${jobLine(job, settings.defaults, namer)}\n`);
    }
  }
  await output.end();
  checkNotEmpty(source.counts.read, options);
  return invalid > 0 ? EXIT.failed : EXIT.ok;
}

function jobLine(job: Job, defaults: RequestDefaults, namer: FileNamer | undefined): string {
  const { index, source, line, id, url, invalid } = job;
  if (invalid !== undefined) return escapeJson(JSON.stringify({ index, source, line, url, invalid }));
  const { method, headers, body } = firstHop(job, defaults);
  const hostHeaders = headersFor(defaults.hostHeaders, job.url) ?? {};
  const list = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const masked = maskHeaders(list, (name) => Object.hasOwn(hostHeaders, name));
  const bodyBytes = body === undefined ? undefined : Buffer.byteLength(body);
  const file = method === 'HEAD' ? undefined : namer?.previewFor(job);
  return escapeJson(
    JSON.stringify({ index, source, line, id, url, method, headers: masked, bodyBytes, file }),
  );
}
