import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { tempDir } from '../../origin/temp-dir.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts the Chromium of the system. */
export async function startBrowser(): Promise<Browser> {
  const [executablePath] = (
    await Promise.all(
      PLACES.map((path) =>
        access(path).then(
          () => [path],
          () => [],
        ),
      ),
    )
  ).flat();
  if (executablePath === undefined) {
    throw new Error('There is no chromium to test the HTML report in: apt-get install chromium');
  }
  // There is no sandbox in a container that runs as root. The page under test loads nothing.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export interface OpenedPage {
  readonly page: Page;
  /** Script errors, policy violations, dialogs, and requests for anything but the page. */
  readonly complaints: readonly string[];
}

/** Opens a report in a new window. */
export async function openReport(
  browser: Browser,
  report: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<OpenedPage> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  const file = join(await tempDir(), 'report.html');
  await writeFile(file, report);
  const url = pathToFileURL(file).href;
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}
