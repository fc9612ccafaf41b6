import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, relative, resolve } from 'node:path';
import type { Sink } from '../collect/sink.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { githubAnnotations } from '../sinks/github-annotations.ts';
import { LineWriter } from '../sinks/line-writer.ts';
import { openOutputFile } from '../sinks/output-stream.ts';

/**
 * Opens the files of `--report`, and in a step of GitHub Actions the annotations and the summary of the job. Throws an
 * `OutputError` when a file of `--report` cannot be opened.
 */
export async function openReports(
  options: ProgramOptions,
  process: NodeJS.Process,
): Promise<readonly Sink[]> {
  const sinks: Sink[] = [];
  for (const { kind, file } of options.report ?? []) {
    const { reportSink } = await import('../sinks/reports/report-sink.ts');
    sinks.push(reportSink(kind, new LineWriter(await openOutputFile(file), { name: file }), tmpdir()));
  }
  if (process.env.GITHUB_ACTIONS !== 'true') return sinks;
  if (!options.silent) sinks.push(annotations(process));
  return [...sinks, ...(await jobSummary(process))];
}

function annotations({ stderr, env, cwd }: NodeJS.Process): Sink {
  const output = new LineWriter(stderr, { name: 'standard error', keepOpen: true });
  const root = env.GITHUB_WORKSPACE ?? cwd();
  return githubAnnotations(output, (source) => {
    if (source === '-' || source === 'arguments') return undefined;
    const path = relative(root, resolve(source));
    return path.startsWith('..') || isAbsolute(path) ? undefined : path.replaceAll('\\', '/');
  });
}

/** Nobody asked for it by a flag, so a summary that cannot be written is no reason to end the run. */
async function jobSummary({ stderr, env }: NodeJS.Process): Promise<readonly Sink[]> {
  const file = env.GITHUB_STEP_SUMMARY;
  if (file === undefined || file === '') return [];
  try {
    const stream = (await open(file, 'a')).createWriteStream();
    const { markdownReport } = await import('../sinks/reports/markdown.ts');
    return [markdownReport(new LineWriter(stream, { name: file }))];
  } catch {
    stderr.write(
      'fanout: Cannot write to the file of GITHUB_STEP_SUMMARY: there is no summary of this run\n',
    );
    return [];
  }
}
