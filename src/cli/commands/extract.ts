import { extractOptions } from '../../config/command-options.ts';
import { loadConfigFile, resolveCommandOptions } from '../../config/program-options.ts';
import { readSettings } from '../../core/own-file.ts';
import { type DocumentLinks, readDocuments } from '../../documents/read-documents.ts';
import { parseLine } from '../../input/parse-job.ts';
import { UsageError } from '../../model/errors.ts';
import { maskSecrets } from '../../model/printable.ts';
import { escapeJson } from '../../output/jsonl.ts';
import { EXIT } from '../exit-code.ts';
import { resolveInputs } from '../inputs.ts';
import { checkOutputs, createOutput } from '../output-files.ts';
import { createMessages } from '../terminal.ts';

export interface ExtractArguments {
  readonly names: readonly string[];
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

type DocumentLink = DocumentLinks['links'][number];

/**
 * `fanout extract`: prints the links of documents, those that can be fetched or, as JSON, all of them. Resolves to the exit code, which
 * does not depend on whether there are links. Throws the errors of `model/errors.ts`.
 */
export async function extractCommand({ names, flags, process }: ExtractArguments): Promise<number> {
  const sources = { flags, environment: process.env };
  const file = await loadConfigFile({ ...sources, readText: readSettings });
  const { values } = resolveCommandOptions(extractOptions, { ...sources, file });
  const url = names.find((name) => /^https?:/i.test(name));
  if (url !== undefined) throw new UsageError('cannot fetch a document: use "fanout fetch --extract URL"');
  const inputs = await resolveInputs(names, { ...values, extract: true }, process);
  await checkOutputs(inputs, { '--output': values.output });
  const output = await createOutput(values.output, process);
  const { warn, note } = createMessages(process);
  const reading = new AbortController();
  output.closed.then(() => reading.abort());
  const { baseUrl, rootDir, json } = values;
  const options = {
    baseUrl,
    rootDir,
    directory: process.cwd(),
    stdin: process.stdin,
    signal: reading.signal,
    warn,
  };
  let files = 0;
  try {
    for await (const { name, links } of readDocuments(inputs, options)) {
      files += links.filter(({ target }) => target.kind === 'file').length;
      for (const link of links) {
        const line = json ? jsonLine(name, link) : listLine(link);
        if (line !== undefined) await output.write(`${line}\n`);
      }
    }
  } finally {
    await output.end();
  }
  if (files > 0 && !json) {
    const count = files === 1 ? '1 link to a file is' : `${files} links to files are`;
    note(`${count} left out: "fanout fetch --extract" checks them, and --base-url makes URLs of them`);
  }
  return EXIT.ok;
}

/** The line of a link in a list for `fetch`, or `undefined` if it leads to no URL. */
function listLine({ target }: DocumentLink): string | undefined {
  return target.kind === 'web' ? parseLine(target.url).url : undefined;
}

function jsonLine(file: string, { href, line, column, text, target }: DocumentLink): string {
  const url =
    listLine({ href, line, column, target }) ?? (target.kind === 'file' ? target.url : maskSecrets(href));
  return escapeJson(JSON.stringify({ file, line, column, url, text: text && maskSecrets(text) }));
}
