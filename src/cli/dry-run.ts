import type { RequestTemplate } from '../config/request-template.ts';
import { maskHeaders } from '../config/secrets.ts';
import { firstHop } from '../http/hop.ts';
import { headersFor } from '../http/host-headers.ts';
import type { Job } from '../model/job.ts';
import { escapeJson } from '../sinks/escape-json.ts';
import type { LineOutput } from '../sinks/line-writer.ts';

/** `--dry-run`: writes each job as one JSON line, secrets masked, and says how many of them are invalid. */
export async function dryRun(
  jobs: AsyncIterable<Iterable<Job>>,
  template: RequestTemplate,
  output: LineOutput,
): Promise<number> {
  let invalid = 0;
  for await (const batch of jobs) {
    for (const job of batch) {
      if (job.invalid !== undefined) invalid += 1;
      await output.write(`${jobLine(job, template)}\n`);
    }
  }
  await output.end();
  return invalid;
}

function jobLine(job: Job, template: RequestTemplate): string {
  const { index, source, line, id, url, invalid } = job;
  if (invalid !== undefined) return escapeJson(JSON.stringify({ index, source, line, url, invalid }));
  const { method, headers, body } = firstHop(job, template);
  const own = headersFor(template.hostHeaders, job.url) ?? {};
  const list = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const lines = maskHeaders(list, (name) => Object.hasOwn(own, name));
  const bodyBytes = body === undefined ? undefined : Buffer.byteLength(body);
  return escapeJson(JSON.stringify({ index, source, line, id, url, method, headers: lines, bodyBytes }));
}
