import { readdirSync, readFileSync } from 'node:fs';

/** The licences of the packages that these modules belong to, since they require that their texts come with the code. */
export function licencesOf(moduleIds: readonly string[]): string {
  const packages = new Set(
    moduleIds.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const licences = [...packages].sort().map((directory) => {
    const { name, version } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence`);
    return `${name} ${version}\n\n${readFileSync(`${directory}/${file}`, 'utf8').trim()}\n`;
  });
  return licences.join(`\n${'-'.repeat(80)}\n\n`);
}
