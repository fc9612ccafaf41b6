import { readFile } from 'node:fs/promises';
import type { ProgramOptions } from '../config/program-options.ts';
import { proxySettings } from '../config/proxy-settings.ts';
import { readData } from '../config/read-data.ts';
import { readTlsFiles } from '../config/read-tls-files.ts';
import { type RequestTemplate, requestTemplate } from '../config/request-template.ts';
import type { TlsMaterial } from '../config/tls-material.ts';
import type { ProxySettings } from '../model/proxy.ts';

/** What requests are made of, beside the options themselves. */
export interface RequestParts {
  readonly template: RequestTemplate;
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
}

/** Reads the files that the options of a request name. Throws a `UsageError` or an `InputError`. */
export async function requestParts(
  options: ProgramOptions,
  environment: NodeJS.ProcessEnv,
): Promise<RequestParts> {
  const proxies = proxySettings(options, environment);
  const body =
    options.data === undefined ? undefined : await readData(options.data, (path) => readFile(path));
  const tls = await readTlsFiles(options, (path) => readFile(path, 'utf8'));
  return { proxies, tls, template: requestTemplate(options, body) };
}
